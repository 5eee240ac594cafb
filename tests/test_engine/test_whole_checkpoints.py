"""Checkpoints take the place of others when they are whole, and a full disk ends a training in one sentence."""

import resource
from pathlib import Path
from types import SimpleNamespace

import pytest
from testing.utils import assert_same_weights, run_tool, tiny_config, weights

from fcn_plugin.engine.hooks import WholeCheckpointHook

ONE = {"default_hooks.checkpoint.max_keep_ckpts": 1, "default_hooks.checkpoint.interval": 1, "train_cfg.max_iters": 3}


@pytest.fixture(scope="module")
def config(tmp_path_factory, voc) -> Path:
    return tiny_config(tmp_path_factory.mktemp("config"), voc, **ONE)


@pytest.fixture(scope="module")
def uninterrupted(config) -> Path:
    run_tool("train.py", config, "--work-dir", config.parent / "work", cwd=config.parent).check()
    return config.parent / "work/iter_3.pth"


@pytest.mark.parametrize("share", [0.5, 0.001])
def test_full_disk(share, config, uninterrupted, tmp_path):
    """For a checkpoint, and for the log as well: the one before stays, also where one is kept alone."""
    work = tmp_path / "work"
    (limit,) = {int(share * uninterrupted.stat().st_size)}
    command = ("train.py", config, "--work-dir", work)
    outcome = run_tool(
        *command,
        cwd=tmp_path,
        kill_when=(work / "iter_1.pth").exists,
        interrupt=lambda pid: resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert outcome.returncode == 1 and "Traceback" not in outcome.stderr
    (kept,) = work.glob("*.pth")
    assert kept.name in ("iter_1.pth", "iter_2.pth") and weights(kept)
    assert not list(work.glob(".*"))
    if share == 0.5:
        assert (work / "last_checkpoint").read_text() == str(kept)
        (error,) = outcome.errors
        assert error == f"error: {work}/iter_{int(kept.stem[-1]) + 1}.pth cannot be written: File too large"
    run_tool(*command, cwd=tmp_path).check()
    assert_same_weights(work / "iter_3.pth", uninterrupted)


def test_what_a_kill_left_is_removed(config, uninterrupted, tmp_path):
    left = tmp_path / ".iter_2.pth.17.part"
    left.write_text("the beginning of a checkpoint")
    run_tool("train.py", config, "--work-dir", tmp_path, cwd=tmp_path).check()
    assert [path.name for path in tmp_path.glob("*.pth*")] == ["iter_3.pth"] and not left.exists()


def test_outdated_checkpoints_are_removed_late(tmp_path):
    """The one before is there while the next is saved; so is the best one."""
    hook = WholeCheckpointHook(interval=1, by_epoch=False, max_keep_ckpts=1, save_best="mIoU", rule="greater")
    info, seen = {}, []

    def save(out_dir, filename, *args, **kwargs):
        seen.append(sorted(path.name for path in tmp_path.glob("*.pth")))
        (tmp_path / filename).touch()

    hub = SimpleNamespace(runtime_info=info, get_info=info.get, update_info=info.__setitem__)
    logger = SimpleNamespace(info=lambda text: None)
    runner = SimpleNamespace(work_dir=str(tmp_path), message_hub=hub, logger=logger, save_checkpoint=save, epoch=0)
    hook.before_train(runner)
    for iteration, score in ((1, 20.0), (2, 30.0)):
        runner.iter = iteration - 1
        hook._save_checkpoint(runner)
        runner.iter = iteration
        hook.after_val_epoch(runner, dict(mIoU=score))
    assert seen == [
        [],
        ["iter_1.pth"],
        ["best_mIoU_iter_1.pth", "iter_1.pth"],
        ["best_mIoU_iter_1.pth", "iter_1.pth"],
        ["best_mIoU_iter_1.pth", "iter_2.pth"],
        ["best_mIoU_iter_1.pth", "best_mIoU_iter_2.pth", "iter_2.pth"],
    ]
    assert sorted(path.name for path in tmp_path.glob("*.pth")) == ["best_mIoU_iter_2.pth", "iter_2.pth"]
