"""Several processes: a check in the first of two, and the end of a process."""

import os
import sys
import time

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import FlexibleRunner
from testing.utils import PROCESSES, free_port, needs_torch, run, tiny_config, weights
from torch import distributed as torch_distributed
from torch import nn

from fcn_plugin.engine import distributed
from fcn_plugin.visualization.run_log import read_json_lines

LAUNCHED = Config(dict(launcher="pytorch", env_cfg=dict(dist_cfg=dict(backend="nccl"))))


def fail() -> None:
    raise ValueError("found something")


def in_process(rank: int, port: int, fails: bool, joined: bool, seconds: float, results) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    calls = []
    distributed.init_dist = lambda *args, **kwargs: (
        calls.append((args, kwargs)),
        torch_distributed.init_process_group("gloo"),
    )
    distributed.PATIENCE = 0.5
    if joined:
        torch_distributed.init_process_group("gloo")
    ran = []

    def check() -> dict:
        time.sleep(seconds)
        ran.append(rank)
        if fails:
            fail()
        return dict(found=[3, "text"])

    start = time.monotonic()
    try:
        how = distributed.run_in_first_process(check, LAUNCHED)
    except ValueError as error:
        how = str(error)
    except SystemExit as error:
        how = f"exit {error.code}"
    results.put((rank, how, ran, calls, time.monotonic() - start))
    distributed.leave_process_group()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("joined", [False, True])
def test_run_in_first_process(fails, joined):
    """The second one waits, gets what the first has found, and leaves with an exit code when that has failed."""
    results, port = PROCESSES.Queue(), free_port()
    arguments = (port, fails, joined, 1.0)
    processes = [PROCESSES.Process(target=in_process, args=(rank, *arguments, results)) for rank in range(2)]
    for process in processes:
        process.start()
    first, second = sorted(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    found = dict(found=[3, "text"])
    assert first[1:3] == ("found something" if fails else found, [0])
    assert second[1:3] == ("exit 1" if fails else found, [])
    assert first[3] == second[3] == ([] if joined else [(("pytorch",), dict(backend="nccl"))])
    assert first[4] >= 1 and second[4] >= (1.4 if fails else 0.9)


def test_alone():
    """Without a launcher, the check is called."""
    assert distributed.run_in_first_process(lambda: 3, Config(dict(launcher="none"))) == 3
    with pytest.raises(ValueError, match="found something"):
        distributed.run_in_first_process(fail, Config(dict(launcher="none")))


@pytest.mark.parametrize(
    ("opener", "end", "code"),
    [
        ("gloo", "torch.distributed.destroy_process_group()", 0),
        ("gloo", "raise SystemExit(3)", 3),
        ("mmengine", "raise ValueError('wrong')", 1),
    ],
)
def test_process_group_is_left_before_python_ends(opener, end, code, tmp_path):
    """A handler of before runs after ours. On GPUs mmengine opens the group, behind our function."""
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import atexit
import torch
from mmengine.config import Config
from fcn_plugin.engine.distributed import set_up_distributed
atexit.register(lambda: print("joined:", torch.distributed.is_initialized()))
import fcn_plugin.engine.distributed
fcn_plugin.engine.distributed.get_device = lambda: "{"cuda" if opener == "mmengine" else "cpu"}"
for _ in range(2):
    set_up_distributed(Config(dict(launcher="pytorch")))
if {opener == "mmengine"}:
    assert not torch.distributed.is_initialized()
    torch.distributed.init_process_group("gloo")
assert torch.distributed.get_backend() == "gloo"
{end}
"""
    )
    address = dict(MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port(), RANK=0, WORLD_SIZE=1)
    outcome = run(sys.executable, script, cwd=tmp_path, **address)
    assert outcome.returncode == code and outcome.stdout.splitlines()[-1] == "joined: False"
    assert not outcome.errors and ("ValueError: wrong" in outcome.stderr) == (code == 1)


def launched(monkeypatch, device: str, nccl: bool = True, **settings) -> Config:
    """A config as it is prepared for several processes on a device; none is joined."""
    monkeypatch.setattr(distributed, "get_device", lambda: device)
    monkeypatch.setattr(torch_distributed, "is_nccl_available", lambda: nccl)
    monkeypatch.setattr(torch_distributed, "is_initialized", lambda: True)
    monkeypatch.setenv("RANK", "0")
    cfg = Config(dict(launcher="pytorch", **settings))
    distributed.set_up_distributed(cfg)
    return cfg


@pytest.mark.parametrize("settings", [{}, dict(env_cfg=dict(dist_cfg=dict(backend="nccl", timeout=60)))])
@pytest.mark.parametrize("nccl", [True, False])
def test_backend_of_gpus(nccl, settings, monkeypatch):
    """Windows has no nccl; the rest is the toolbox's."""
    cfg = launched(monkeypatch, "cuda", nccl, **settings)
    found = cfg.get("env_cfg", {}).get("dist_cfg", {})
    assert found.get("backend", "nccl") == ("nccl" if nccl else "gloo")
    assert found.get("timeout") == (60 if settings else None) and "model_wrapper_cfg" not in cfg


def test_no_processes_on_mps(monkeypatch):
    with pytest.raises(ValueError, match="^several processes work on CUDA and on CPUs, not on mps: leave out"):
        launched(monkeypatch, "mps")


OURS = dict(type="MMDistributedDataParallel", device_ids=None, broadcast_buffers=False, gradient_as_bucket_view=True)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, dict(OURS, find_unused_parameters=False)),
        (dict(find_unused_parameters=True), dict(OURS, find_unused_parameters=True)),
        (dict(model_wrapper_cfg=dict(static_graph=True, device_ids=[0])), dict(OURS, static_graph=True)),
        (
            dict(model_wrapper_cfg=dict(type=MMDistributedDataParallel, broadcast_buffers=True)),
            dict(OURS, type=MMDistributedDataParallel, broadcast_buffers=True),
        ),
        (dict(model_wrapper_cfg=dict(type=nn.Identity)), dict(type=nn.Identity)),
    ],
)
def test_wrapper_of_cpu_processes(settings, expected, monkeypatch):
    """What the config says of it stays, and other wrappers are left alone."""
    assert launched(monkeypatch, "cpu", **settings).model_wrapper_cfg == expected


def train_and_test(strategy: dict, config: str, work_dir: str, port: int) -> None:
    """In one process of a group, by mmengine's FlexibleRunner."""
    os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch_distributed.init_process_group("gloo")
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(launcher="pytorch", work_dir=work_dir, precision="float32"))
    cfg.strategy = strategy
    FlexibleRunner.from_cfg(cfg).train()
    if strategy["type"] == "DDPStrategy":  # names of its checkpoints begin with "module."
        cfg.merge_from_dict(dict(load_from=f"{work_dir}/iter_2.pth", experiment_name="test"))
        FlexibleRunner.from_cfg(cfg).test()
    distributed.leave_process_group()


STRATEGIES = {
    "ddp": dict(type="DDPStrategy", model_wrapper=dict(device_ids=None)),
    "fsdp": dict(
        type="FSDPStrategy",
        state_dict_cfg="full",  # one file, not one for each process
        # without it PyTorch looks for a GPU
        model_wrapper=dict(type="MMFullyShardedDataParallel", use_orig_params=True, device_id=torch.device("cpu")),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddp", pytest.param("fsdp", marks=needs_torch("2.4", "FSDP on a CPU"))])
def test_flexible_runner(name, voc, tmp_path):
    """Our configs, hooks and metrics under the runner of other projects."""
    config = tiny_config(tmp_path, voc, "fcn8s_vgg16_voc", **{"train_cfg.max_iters": 2, "train_cfg.val_interval": 2})
    arguments = (STRATEGIES[name], str(config), str(tmp_path / "work"), free_port())
    process = PROCESSES.Process(target=train_and_test, args=arguments)
    process.start()
    process.join(timeout=120)
    assert process.exitcode == 0
    keys = weights(tmp_path / "work/iter_2.pth").keys()
    assert {"decode_head.score_fr.weight", "neck.fc7.bias"} <= {key.removeprefix("module.") for key in keys}
    logs = sorted((tmp_path / "work").glob("*/vis_data/scalars.json"))
    figures = [record["mIoU"] for log in logs for record in read_json_lines(log) if "mIoU" in record]
    assert len(figures) == 1 and figures[0] > 0
