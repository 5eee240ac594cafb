"""Training and testing a skip head on a backbone of the toolbox, from the shipped configs."""

from mmengine.config import Config
from testing.utils import ROOT, run_tool, weights


def narrow(folder, voc, name, **model):
    """A config on top of a shipped one, with a narrow backbone and two iterations on tiny images."""
    loader = dict(num_workers=0, persistent_workers=False, dataset=dict(data_root=str(voc / "camvid")))
    tiny = Config(
        dict(
            **{f"{split}_dataloader": loader for split in ("train", "val", "test")},
            model=model,
            train_cfg=dict(max_iters=2, val_interval=100),
            default_hooks=dict(checkpoint=dict(interval=2), logger=dict(interval=1)),
        )
    )
    path = folder / "narrow.py"
    path.write_text(f"_base_ = {str(ROOT / 'configs' / name)!r} + '.py'\n{tiny.pretty_text}")
    return path


def test_train_and_test(tmp_path, voc):
    backbone = dict(depth=18, base_channels=4, stem_channels=4, init_cfg=None)
    config = narrow(tmp_path, voc, "fcn8s_r50_camvid", backbone=backbone)
    outcome = run_tool("train.py", config, "--amp", cwd=tmp_path).check()
    assert "train 2 iterations" in outcome.stdout and "decode.loss_ce" in outcome.stdout + outcome.stderr
    assert "starts without the coarser net's weights" not in outcome.stdout + outcome.stderr
    checkpoint = tmp_path / "work_dirs/narrow/iter_2.pth"
    keys = set(weights(checkpoint))
    assert {"backbone.layer4.1.conv2.weight", "decode_head.score_pool3.weight"} <= keys

    tested = run_tool("test.py", config, checkpoint, "--tta", "--out", "predictions", cwd=tmp_path).check()
    assert "mIoU" in tested.stdout + tested.stderr
    assert len(list((tmp_path / "predictions").glob("*.png"))) == 2


def test_misfit_is_one_line(tmp_path, voc):
    head = dict(in_channels=[512, 1024, 2048])
    config = narrow(tmp_path, voc, "fcn8s_r50_camvid", backbone=dict(depth=18, init_cfg=None), decode_head=head)
    outcome = run_tool("train.py", config, cwd=tmp_path)
    assert outcome.returncode == 1 and len(outcome.errors) == 1
    assert outcome.errors[0].startswith(
        "error: the model of narrow.py cannot be built: FCN8sHead: in_channels=[512, 1024, 2048]"
    )
    assert (
        "the feature extractor gives 0: 128 channels at stride 8, 1: 256 channels at stride 16, 2: 512"
        in outcome.errors[0]
    )
