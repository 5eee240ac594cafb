import time

import pytest
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmseg.registry import TRANSFORMS
from testing.run_logs import train, val, write_session
from testing.utils import run_tool, tiny_config

from fcn_plugin import config_dir
from fcn_plugin.apis.data_speed import Throughput, logged_waiting_share, measure
from fcn_plugin.utils.config import set_data_root

DELAY = 0.02


@TRANSFORMS.register_module()
class Slow(BaseTransform):
    """A pipeline whose speed is known."""

    def transform(self, results):
        time.sleep(DELAY)
        return results


@pytest.fixture
def cfg(voc):
    cfg = Config.fromfile(config_dir() / "fcn32s_vgg16_voc.py")
    set_data_root(cfg, str(voc))
    for split in ("train", "val"):
        cfg[f"{split}_dataloader"].dataset.pipeline.insert(0, dict(type="Slow"))
    return cfg


@pytest.mark.parametrize("split, batch_size", [("train", 1), ("train", 3), ("val", 1)])
def test_measure(split, batch_size, cfg):
    """Also past the end of a split of two images."""
    cfg[f"{split}_dataloader"].batch_size = batch_size
    found = measure(cfg, split, workers=0, seconds=0.5)
    assert found.workers == 0 and found.images == batch_size * found.batches
    assert 0.5 <= found.seconds < 5 and found.images >= 3
    assert 0.2 / DELAY < found.rate <= 1 / DELAY and found.rate == found.rate_per_worker


def test_measure_with_workers(cfg):
    found = measure(cfg, "train", workers=2, seconds=0.5)
    assert found.workers == 2 and 2 < found.images == found.batches
    assert found.rate < 2.5 / DELAY and found.rate_per_worker == found.rate / 2


@pytest.mark.parametrize("workers, seconds", [(-1, 1), (0, 0), (0, -1)])
def test_wrong_arguments(workers, seconds, cfg):
    with pytest.raises(ValueError, match="at least 0 workers and more than 0 seconds"):
        measure(cfg, "train", workers, seconds)


@pytest.mark.parametrize(
    "workers, step_seconds, expected", [(0, 0.3, 0.25), (0, 0.1, 0.5), (2, 0.3, 0), (2, 0.1, 0), (2, 0.05, 0.5)]
)
def test_waiting_share(workers, step_seconds, expected):
    """Batches of two that take 0.1 s: without workers they add to the step, with workers they are loaded meanwhile."""
    found = Throughput(workers, images=40, batches=20, seconds=2.0)
    assert found.rate == 20
    assert found.waiting_share(step_seconds) == pytest.approx(expected)


def steps(*times):
    """Records of training steps by their waiting and whole times."""
    return [dict(train(step, 1), data_time=wait, time=time) for step, (wait, time) in enumerate(times, start=1)]


def test_log(tmp_path):
    """The newest one; without its first entry, validations and what a kill cut off."""
    write_session(tmp_path, "20260101_000000", steps((9, 9)))
    assert logged_waiting_share(tmp_path) == (1, 9)  # the first entry, if there is no other
    records = [*steps((5, 6), (0.1, 0.5), (0.3, 0.5)), dict(val(3, 9), data_time=7, time=8)]
    session = write_session(tmp_path, "20260102_000000", records, tail='{"loss": 1, "data_ti')
    for path in (tmp_path, str(tmp_path), session / "vis_data/scalars.json"):
        assert logged_waiting_share(path) == pytest.approx((0.4, 0.5))


def test_wrong_logs(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} has no log of a training"):
        logged_waiting_share(tmp_path)
    write_session(tmp_path, "20260101_000000", [train(1, 1)])
    with pytest.raises(ValueError, match="scalars.json has no training steps"):
        logged_waiting_share(tmp_path)


def test_tool(voc, tmp_path):
    """With the log of a real training."""
    config = tiny_config(tmp_path, voc, **{"default_hooks.logger.interval": 1})
    run_tool("train.py", config, "--work-dir", tmp_path / "work", cwd=tmp_path).check()
    options = ("--seconds", 0.3, "--workers", 0, 1, "--step-seconds", 0.5, "--log", tmp_path / "work")
    outcome = run_tool("benchmark_data.py", config, *options, cwd=tmp_path).check()
    logged, heading, *rows = outcome.stdout.splitlines()
    share, seconds = logged_waiting_share(tmp_path / "work")
    assert logged == f"Logged: {seconds:.3f} s a step, {100 * share:.1f} % of them waiting for data" and 0 < share < 1
    assert heading.split() == ["workers", "images/s", "per", "worker", "waiting"]
    assert [row.split()[0] for row in rows] == ["0", "1"]
    for row in rows:
        _, rate, per_worker, waiting, sign = row.split()
        assert float(rate) == float(per_worker) > 1 and 0 <= float(waiting) < 100 and sign == "%"
    refused = run_tool("benchmark_data.py", config, "--step-seconds", 0, cwd=tmp_path)
    assert refused.returncode == 1 and refused.errors == ["error: --step-seconds must be more than 0, got 0.0"]
