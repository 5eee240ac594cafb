import os

import numpy as np
import pytest
from testing.run_logs import train, val, write_session, write_stages

from fcn_plugin.visualization.run_log import merge_sessions, read_run, read_stages, stage_offsets


def steps_and_losses(records):
    return [(record["step"], record.get("loss", record.get("mIoU"))) for record in records]


class TestMerge:
    def test_the_later_session_wins(self):
        """Killed after 40, continued from the checkpoint at 20: 30 and 40 were done again, and the validation."""
        first = [train(10, 1), train(20, 2), val(20, 30), train(30, 3), train(40, 4), val(40, 33)]
        second = [train(30, 3.5), train(40, 4.5), val(40, 35), train(50, 5.5)]
        merged = merge_sessions([first, second])
        assert steps_and_losses(merged) == [
            (10, 1), (20, 2), (20, 30), (30, 3.5), (40, 4.5), (40, 35), (50, 5.5),
        ]  # fmt: skip

    def test_another_interval(self):
        """What is logged more rarely the second time replaces all that was done again since."""
        merged = merge_sessions([[train(step, 1) for step in (5, 10, 15, 20, 25)], [train(20, 2), train(40, 2)]])
        assert steps_and_losses(merged) == [(5, 1), (10, 1), (15, 1), (20, 2), (40, 2)]

    def test_three_sessions(self):
        sessions = [[train(1, 1), train(2, 1), train(3, 1)], [train(2, 2), train(3, 2), train(4, 2)], [train(3, 3)]]
        assert steps_and_losses(merge_sessions(sessions)) == [(1, 1), (2, 2), (3, 3)]

    def test_trained_anew(self):
        assert steps_and_losses(merge_sessions([[train(1, 1), train(2, 1)], [train(1, 2)]])) == [(1, 2)]

    def test_nothing(self):
        assert merge_sessions([]) == merge_sessions([[], []]) == []
        assert len(merge_sessions([[train(1, 1)], []])) == 1


class TestReadRun:
    def test_sessions_in_one_directory(self, tmp_path):
        """In the order of their time; what is no session of a training is passed over."""
        write_session(tmp_path, "20260102_000000", [train(20, 2.5), train(30, 3.5), val(30, 44)], max_keep=2)
        write_session(tmp_path, "20260101_000000", [train(10, 1), train(20, 2)], tail='{"loss": 3, "st', max_keep=1)
        write_session(tmp_path, "20260103_000000", [])  # a test
        write_session(tmp_path, "20260104_000000", [val(0, 12)])  # a validation alone
        write_session(tmp_path, "backup_20260105_000000", [train(10, 9)])
        (tmp_path / "20260106_000000").touch()
        run = read_run(tmp_path)
        assert [session.name for session in run.sessions] == ["20260101_000000", "20260102_000000"]
        assert steps_and_losses(run.records) == [(10, 1), (20, 2.5), (30, 3.5), (30, 44)]
        assert run.iterations == 30 and run.cfg.max_keep == 2 and run.max_iters is None and run.name == tmp_path.name
        steps, losses = run.series("loss")
        assert steps.tolist() == [10, 20, 30] and losses.tolist() == [1, 2.5, 3.5]
        assert [part.tolist() for part in run.series("mIoU")] == [[30], [44]]
        assert [part.size for part in run.series("acc")] == [0, 0]

    def test_name_of_the_newest_config(self, tmp_path):
        write_session(tmp_path, "20260101_000000", [train(1, 1)])
        for age, name in ((50, "a"), (10, "b"), (90, "c")):
            (tmp_path / f"{name}.py").touch()
            os.utime(tmp_path / f"{name}.py", (1e9 - age, 1e9 - age))
        assert read_run(tmp_path).name == "b"

    def test_a_config_that_imports_what_is_not_here(self, tmp_path):
        imports = dict(imports=["no_such_package"], allow_failed_imports=False)
        write_session(tmp_path, "20260101_000000", [train(1, 1)], custom_imports=imports, train_cfg=dict(max_iters=9))
        assert read_run(tmp_path).max_iters == 9

    @pytest.mark.parametrize("by_epoch", [True, False], ids=["validations by epochs", "by iterations"])
    def test_epochs_of_five_iterations(self, tmp_path, by_epoch):
        """Logged every second iteration, and interrupted in the second epoch, whose iterations are done again."""
        first = [train(2, 1, epoch=1), train(4, 1, epoch=1), val(1 if by_epoch else 5, 10), train(7, 1, epoch=2)]
        again = [train(7, 1, epoch=2), train(9, 1, epoch=2), val(2 if by_epoch else 10, 20)]
        write_session(tmp_path, "20260101_000000", first, train_cfg=dict(max_epochs=2))
        write_session(tmp_path, "20260102_000000", again, train_cfg=dict(max_epochs=2))
        run = read_run(tmp_path)
        assert [series.tolist() for series in run.series("mIoU")] == [[5, 10], [10, 20]] and run.iterations == 10
        assert run.series("loss")[0].tolist() == [2, 4, 7, 9]

    def test_validations_of_which_the_log_does_not_tell_when(self, tmp_path):
        """In the first epoch, and where iterations are counted, but LoggerHook's log_metric_by_epoch is true."""
        for name, extra, step in (("epoch", dict(epoch=1), 1), ("iterations", {}, 0)):
            write_session(tmp_path / name, "20260101_000000", [train(40, 1, **extra), val(step, 12)])
            assert read_run(tmp_path / name).series("mIoU")[0].tolist() == [40]

    def test_nan(self, tmp_path):
        write_session(tmp_path, "20260101_000000", [train(1, float("nan")), train(2, 1)])
        assert np.isnan(read_run(tmp_path).series("loss")[1]).tolist() == [True, False]

    def test_nothing_logged(self, tmp_path):
        write_session(tmp_path, "20260101_000000", [val(0, 12)])
        with pytest.raises(FileNotFoundError, match=f"{tmp_path} has no log of a training .*LocalVisBackend"):
            read_run(tmp_path)
        with pytest.raises(FileNotFoundError, match="there is no work directory .*missing"):
            read_run(tmp_path / "missing")

    def test_broken_config(self, tmp_path):
        session = write_session(tmp_path, "20260101_000000", [train(1, 1)])
        (session / "vis_data/config.py").write_text("train_cfg = dict(")
        with pytest.raises(ValueError, match="config.py is not valid Python"):
            read_run(tmp_path).max_iters  # noqa: B018
        (session / "vis_data/config.py").unlink()
        with pytest.raises(FileNotFoundError, match="there is no .*config.py"):
            read_run(tmp_path).max_iters  # noqa: B018


class TestStages:
    @pytest.mark.parametrize("inside", [False, True])
    def test_beside_and_inside(self, tmp_path, inside):
        """Beside a directory of the config's name, inside another one; the second stage has 50 iterations, not 40."""
        last = write_stages(tmp_path / "run" if inside else tmp_path, tmp_path / ("run" if inside else "fcn8s_x"))
        stages = read_stages(last)
        assert [stage.name for stage in stages] == ["fcn32s_x", "fcn16s_x", "fcn8s_x"]
        assert [stage.series("mIoU")[1].tolist() for stage in stages] == [[30], [40], [50]]
        assert stage_offsets(stages) == [0, 100, 150]

    def test_from_the_directory_itself(self, tmp_path, monkeypatch):
        monkeypatch.chdir(write_stages(tmp_path, tmp_path / "fcn8s_x"))
        assert [stage.name for stage in read_stages(".")] == ["fcn32s_x", "fcn16s_x", "fcn8s_x"]

    def test_an_earlier_stage_by_itself(self, tmp_path):
        write_stages(tmp_path, tmp_path / "fcn8s_x")
        assert [stage.name for stage in read_stages(tmp_path / "fcn16s_x")] == ["fcn32s_x", "fcn16s_x"]

    def test_logged_beyond_a_lower_number_of_iterations(self, tmp_path):
        write_stages(tmp_path, tmp_path / "fcn8s_x")
        (tmp_path / "fcn32s_x/20260102_030405/vis_data/config.py").write_text("train_cfg = dict(max_iters=20)")
        assert stage_offsets(read_stages(tmp_path / "fcn8s_x")) == [0, 100, 150]

    @pytest.mark.parametrize("start", [None, "/weights/fcn16s.pth"])
    def test_weights_of_another_origin(self, tmp_path, start):
        """Trained with --stage-only or load_from: the directory beside it has no part in it."""
        last = write_stages(tmp_path, tmp_path / "fcn8s_x")
        config = last / "20260102_030405/vis_data/config.py"
        config.write_text(config.read_text().replace("'/moved/fcn16s_x/iter_50.pth'", repr(start)))
        assert [stage.name for stage in read_stages(last)] == ["fcn8s_x"]

    def test_the_first_session_tells_the_origin(self, tmp_path):
        """The second one went on from its own checkpoint."""
        last = write_stages(tmp_path, tmp_path / "fcn8s_x")
        settings = dict(load_from=str(last / "iter_30.pth"), earlier_stage="fcn16s_x.py", train_cfg=dict(max_iters=60))
        write_session(last, "20260103_030405", [train(40, 1)], **settings)
        assert [stage.name for stage in read_stages(last)] == ["fcn32s_x", "fcn16s_x", "fcn8s_x"]

    def test_logs_that_are_not_there(self, tmp_path):
        last = write_stages(tmp_path, tmp_path / "fcn8s_x")
        (tmp_path / "fcn32s_x").rename(tmp_path / "moved")
        assert [stage.name for stage in read_stages(last)] == ["fcn16s_x", "fcn8s_x"]
