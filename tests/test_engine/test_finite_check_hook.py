"""A training that is not finite any more: it stops, says where, and keeps its last good checkpoint."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from testing.shapes import narrow_stages
from testing.utils import PROCESSES, free_port, run_tool, weights
from torch import distributed, nn

from fcn_plugin.datasets.shapes_generator import write_shapes
from fcn_plugin.engine import distributed as group
from fcn_plugin.engine.distributed import leave_process_group
from fcn_plugin.engine.hooks import FiniteCheckHook
from fcn_plugin.engine.hooks.finite_check_hook import NotFiniteError


@pytest.fixture
def runner():
    """With two weights, of which the optimizer knows the momentum, in the iteration after the sixth."""
    model = nn.Linear(1, 1)
    model.register_buffer("mask", torch.tensor([0, -math.inf]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.9)
    model(torch.ones(1, 1)).backward()
    optimizer.step()
    warnings = []
    logger = SimpleNamespace(warning=warnings.append)
    return SimpleNamespace(
        model=model,
        optim_wrapper=OptimWrapper(optimizer),
        iter=6,
        hooks=[],
        _resume=False,
        logger=logger,
        warnings=warnings,
    )


def batch(*names: str, value: float = 1.0) -> dict:
    return dict(
        inputs=[torch.full((3, 2, 2), value) for _ in names],
        data_samples=[SimpleNamespace(img_path=name) for name in names],
    )


@pytest.fixture
def hook(runner) -> FiniteCheckHook:
    """That has seen two batches."""
    hook = FiniteCheckHook()
    hook.before_train(runner)
    for data in (batch("a.jpg", "b.jpg"), batch("c.jpg")):
        hook.before_train_iter(runner, 0, data)
    return hook


def test_finite(hook, runner):
    hook.after_train_iter(runner, 0, batch("c.jpg"), dict(loss=torch.tensor(1e30, requires_grad=True), acc=math.nan))
    hook.after_train_iter(runner, 0, None, None)
    hook.check_weights(runner)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_loss(loss, hook, runner):
    with pytest.raises(NotFiniteError) as error:
        hook.after_train_iter(runner, 0, batch("c.jpg"), dict(loss=torch.tensor(loss)))
    assert str(error.value).startswith(
        f"the loss of iteration 7 is {loss} (rate 0.25; images of this iteration: c.jpg; of the one before: a.jpg,"
        " b.jpg): lower the rate, or"
    )


def test_image(hook, runner):
    with pytest.raises(NotFiniteError, match="Images of this batch hold values that are not finite"):
        hook.after_train_iter(runner, 0, batch("c.jpg", value=math.inf), dict(loss=torch.tensor(math.nan)))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights(value, hook, runner):
    hook.after_train_iter(runner, 0, None, dict(loss=torch.tensor(1.0)))
    runner.model.weight.data[:] = value
    with pytest.raises(NotFiniteError, match=r"^weights are not finite after iteration 7: weight \(rate 0.25"):
        hook.before_save_checkpoint(runner, {})


def test_optimizer(hook, runner):
    """With an infinite average of squares, Adam never changes a weight again."""
    runner.optim_wrapper.optimizer.state[runner.model.bias]["momentum_buffer"][:] = math.inf
    with pytest.raises(NotFiniteError, match="^states of the optimizer are not finite .*: momentum_buffer of bias"):
        hook.check_weights(runner)


def test_start(runner):
    runner.model.bias.data[:] = math.nan
    with pytest.raises(NotFiniteError, match="^the weights to start from are not finite: bias. Start from others"):
        FiniteCheckHook().before_train(runner)


def test_validation(hook, runner):
    hook.after_val_epoch(runner, dict(mIoU=math.nan, aAcc=3.0))
    assert not runner.warnings
    hook.after_val_epoch(runner, dict(mIoU=math.nan, aAcc=math.nan))
    assert runner.warnings == ["all figures of this validation are NaN: mIoU, aAcc"]


def in_process(rank: int, port: int, bad: list[int], results) -> None:
    """One of three processes; ``bad`` are those whose loss is NaN."""
    group.PATIENCE = 0.5
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=3)
    loss = math.nan if rank in bad else 1.0
    runner = SimpleNamespace(
        iter=4, hooks=[], _resume=False, optim_wrapper=SimpleNamespace(get_lr=lambda: dict(lr=[0.5]))
    )
    try:
        FiniteCheckHook().after_train_iter(runner, 0, None, dict(loss=torch.tensor(loss)))
        results.put((rank, "went on"))
    except NotFiniteError as error:
        results.put((rank, str(error)[:30]))
    except SystemExit as end:
        results.put((rank, end.code))
    leave_process_group()


@pytest.mark.parametrize(
    "bad, expected", [([], ["went on"] * 3), ([1, 2], [1, "the loss of iteration 5 is nan"[:30], 1])]
)
def test_several_processes(bad, expected):
    """All end, and the first that has found something tells it."""
    results, port = PROCESSES.Queue(), free_port()
    processes = [PROCESSES.Process(target=in_process, args=(rank, port, bad, results)) for rank in range(3)]
    for process in processes:
        process.start()
    assert [result for _, result in sorted(results.get(timeout=60) for _ in processes)] == expected
    for process in processes:
        process.join(60)


RATE = "param_scheduler = [dict(type='StepLR', step_size=3, gamma=1e30, by_epoch=False)]"
LOADERS = "".join(f"{split}_dataloader = dict(num_workers=0, persistent_workers=False)\n" for split in ("train", "val"))
SETTINGS = {
    "optim_wrapper = dict(accumulative_counts=2)": 2,
    "custom_hooks = [dict(type='EMAHook')]": 3,
    "precision = 'bfloat16'": 3,
}


@pytest.mark.parametrize("settings, interval", SETTINGS.items())
def test_stages(settings, interval, tmp_path):
    """The rate becomes far too large in the fourth iteration of the first stage of three."""
    write_shapes(tmp_path / "data", 6, 2, (80, 64))
    schedule = "train_cfg = dict(max_iters=8, val_interval=20)\n"
    schedule += f"default_hooks = dict(checkpoint=dict(interval={interval}, max_keep_ckpts=1))\n"
    config = narrow_stages(tmp_path, f"{schedule}{LOADERS}{RATE}\n{settings}\n")
    work = tmp_path / "work/fcn8s_narrow"
    outcome = run_tool("train.py", config, "--data-root", tmp_path / "data", "--work-dir", work, cwd=tmp_path)
    assert outcome.returncode == 1
    (error,) = outcome.errors
    newest = {2: "iter_4.pth", 3: "iter_3.pth"}[interval]  # before the iteration, and before the weights were too large
    assert (f"{newest} has the weights that give this loss: remove it" in error) == (interval == 2)
    assert error.startswith(("error: the loss of iteration", "error: weights are not finite after iteration"))
    assert "(rate 1e+27; images of this iteration: " in error and str(tmp_path / "data/JPEGImages/train_0000") in error
    first = work.with_name("fcn32s_narrow")
    assert (first / "last_checkpoint").read_text() == str(first / newest)
    assert [path.name for path in first.glob("*.pth")] == [newest]
    assert all(value.isfinite().all() for value in weights(first / newest).values())
    assert [path.name for path in work.parent.iterdir()] == ["fcn32s_narrow"]
