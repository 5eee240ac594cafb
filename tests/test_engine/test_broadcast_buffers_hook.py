"""Two processes whose norm layers have seen different pictures."""

import os
from types import SimpleNamespace

import torch
from testing.utils import PROCESSES, free_port
from torch import distributed, nn

from fcn_plugin.engine.distributed import leave_process_group
from fcn_plugin.engine.hooks import BroadcastBuffersHook


def network(rank: int) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).train()
    for number in range(1 + rank):
        net(torch.full((2, 3, 4, 4), 1.0 + rank + number))
    return net


def in_process(rank: int, port: int, results) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo")
    net = network(rank)
    BroadcastBuffersHook().before_val_epoch(SimpleNamespace(model=net))
    results.put((rank, {name: value.tolist() for name, value in net.named_buffers()}))
    leave_process_group()


def test_two_processes():
    results, port = PROCESSES.Queue(), free_port()
    processes = [PROCESSES.Process(target=in_process, args=(rank, port, results)) for rank in range(2)]
    for process in processes:
        process.start()
    first, second = (buffers for _, buffers in sorted(results.get(timeout=60) for _ in processes))
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    own, others = ({name: value.tolist() for name, value in network(rank).named_buffers()} for rank in range(2))
    assert first == second == own and own["1.running_mean"] != others["1.running_mean"]


def test_one_process():
    net = network(1)
    before = {name: value.clone() for name, value in net.named_buffers()}
    BroadcastBuffersHook().before_val_epoch(SimpleNamespace(model=net))
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())
