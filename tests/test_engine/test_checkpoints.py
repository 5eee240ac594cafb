"""Where the checkpoints of a training are, which is the newest, and which the best."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from fcn_plugin.engine import checkpoints
from fcn_plugin.engine.checkpoints import Checkpoints


def config(work_dir: Path, default_hooks: dict | None = None, **hook: object) -> Config:
    hooks = (
        dict(checkpoint=dict(type="CheckpointHook", by_epoch=False, **hook)) if default_hooks is None else default_hooks
    )
    return Config(dict(work_dir=str(work_dir), default_hooks=hooks))


def save(file: Path, value: float = 1.0, **more: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(meta={}, state_dict=dict(weight=torch.tensor([value, 2.0])), **more), file)


@pytest.mark.parametrize(
    "template, names, newest",
    [
        (None, ["iter_2.pth", "iter_10.pth", "iter_12-0a1b2c3d.pth", "best_mIoU_iter_14.pth", "epoch_99.pth"], 1),
        ("fcn_{}.pth", ["iter_20.pth", "fcn_4.pth"], 1),
        ("fcn_{:06d}.pth", ["fcn_000004.pth", "fcn_000012.pth"], 1),
        ("{}.pth", ["9.pth", "11.pth", "iter_12.pth"], 1),
        ("last.pth", ["iter_20.pth", "last.pth"], 1),
        ("deep/iter_{}.pth", ["iter_20.pth", "deep/iter_4.pth"], 1),
        ("a.b[{}]+.pth", ["aXb[7]+.pth", "a.b[5]+.pth"], 1),
    ],
)
def test_newest(template, names, newest, tmp_path):
    for name in names:
        save(tmp_path / name)
    found, content = Checkpoints(config(tmp_path, filename_tmpl=template)).newest()
    assert found == tmp_path / names[newest] and content["state_dict"]["weight"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "hooks, name",
    [
        (dict(), "epoch_3.pth"),  # the runner's default
        (dict(checkpoint=dict(type=CheckpointHook, by_epoch=False)), "iter_3.pth"),
        (dict(checkpoint=None, other=dict(type="mmengine.CheckpointHook", by_epoch=False)), "iter_3.pth"),
        (dict(checkpoint=None), None),
    ],
)
def test_hook_of_the_config(hooks, name, tmp_path):
    for file in ("epoch_3.pth", "iter_3.pth"):
        save(tmp_path / file)
    found = Checkpoints(config(tmp_path, hooks)).newest()
    assert (found and found[0].name) == name


def test_another_directory(tmp_path):
    """As the hook has it: with the name of the work directory."""
    save(tmp_path / "all/fcn32s/iter_2.pth")
    found, _ = Checkpoints(config(tmp_path / "work/fcn32s/", out_dir=str(tmp_path / "all"))).newest()
    assert found == tmp_path / "all/fcn32s/iter_2.pth"
    assert Checkpoints(config(tmp_path / "work", out_dir=str(tmp_path / "work"))).directory == tmp_path / "work"


def test_passed_over(tmp_path, monkeypatch):
    """One that was cut off, and those with weights that are not finite, the averaged ones as well."""
    save(tmp_path / "iter_2.pth")
    save(tmp_path / "iter_4.pth", float("nan"))
    save(tmp_path / "iter_6.pth", float("-inf"))
    save(tmp_path / "iter_8.pth", ema_state_dict={"module.fc": torch.tensor([float("nan")]), "steps": torch.tensor(3)})
    (tmp_path / "iter_10.pth").write_bytes((tmp_path / "iter_2.pth").read_bytes()[:-300])
    lines = []
    monkeypatch.setattr(checkpoints, "print_log", lambda text, **_: lines.append(text))
    found, _ = Checkpoints(config(tmp_path)).newest()
    assert found == tmp_path / "iter_2.pth"
    assert lines[0].startswith(f"passed over: {tmp_path}/iter_10.pth is truncated")
    names = dict(zip((8, 6, 4), ("module.fc", "weight", "weight")))
    assert lines[1:] == [
        f"passed over: {tmp_path}/iter_{i}.pth holds weights that are not finite: {names[i]}" for i in names
    ]


@pytest.mark.parametrize(
    "save_best, info, expected",
    [
        (None, dict(best_ckpt="/old/best_mIoU_iter_2.pth"), None),
        ("mIoU", dict(best_ckpt="/old/best_mIoU_iter_2.pth"), "best_mIoU_iter_2.pth"),
        (["mAcc", "mIoU"], dict(best_ckpt_mIoU="/old/a.pth", best_ckpt_mAcc="/old/b.pth"), "b.pth"),
        ("auto", dict(best_ckpt="/old/best_aAcc_iter_2.pth"), "best_aAcc_iter_2.pth"),
        ("mIoU", dict(), None),
    ],
)
def test_best(save_best, info, expected, tmp_path):
    best = Checkpoints(config(tmp_path, save_best=save_best)).best(dict(message_hub=dict(runtime_info=info)))
    assert best == (expected and tmp_path / expected)


@pytest.mark.parametrize(
    "hook, length, expected",
    [
        (dict(interval=3), 4, True),
        (dict(interval=-1), 4, True),
        (dict(interval=3, save_last=False), 4, False),
        (dict(interval=2, save_last=False), 4, True),
        (dict(interval=-1, save_last=False), 4, False),
        (dict(interval=2, save_last=False, save_begin=1), 4, False),
        (dict(interval=2, save_last=False, save_begin=1), 5, True),
        (dict(interval=2, save_last=False, save_begin=6), 4, False),
    ],
)
def test_leaves_last(hook, length, expected, tmp_path):
    assert Checkpoints(config(tmp_path, **hook)).leaves_last(length) is expected
