"""The end of a training by a signal, hook by hook; tests/test_engine/test_kills.py does it to whole trainings."""

import multiprocessing
import os
import signal
import time
from types import SimpleNamespace

import pytest
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from fcn_plugin.engine.hooks import StopHook, stop_hook
from fcn_plugin.utils.signals import end_at_once, handled


class Checkpoints(CheckpointHook):
    """Notes what is saved instead of saving it."""

    def _save_checkpoint_with_step(self, runner, step, meta):
        runner.events.append(("saved", step, meta))
        self.last_ckpt = f"work/{self.filename_tmpl.format(step)}"


class Averaged(EMAHook):
    def __init__(self, events):
        self.events = events

    def after_val_epoch(self, runner, metrics=None):
        self.events.append("swapped back")


def make_runner(loop: type = IterBasedTrainLoop, updated: bool = True, counts: int = 1, **settings) -> SimpleNamespace:
    """A runner in its tenth iteration; ``events`` are what is saved, and ``logged`` what is told."""
    events, logged = [], []
    return SimpleNamespace(
        train_loop=loop.__new__(loop),
        val_loop=SimpleNamespace(dataloader=[1, 2]),
        hooks=[Checkpoints(**{"interval": 4, "by_epoch": False, "out_dir": "work", **settings}), Averaged(events)],
        optim_wrapper=SimpleNamespace(should_update=lambda: updated, _accumulative_counts=counts),
        logger=SimpleNamespace(info=logged.append, warning=logged.append),
        iter=9,
        epoch=0,
        events=events,
        logged=logged,
    )


@pytest.fixture
def hook() -> StopHook:
    hook = StopHook()
    hook.before_train(make_runner())
    return hook


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_iteration_is_finished_and_saved(number, code, hook, capfd):
    runner = make_runner()
    hook.after_train_iter(runner, 0)
    hook.note(number, None)
    with pytest.raises(SystemExit) as end:
        hook.after_train_iter(runner, 0)
    assert end.value.code == code
    assert runner.events == [("saved", 10, dict(epoch=0, iter=10))]
    assert runner.logged == [f"{number.name}: ended at iteration 10. The same command goes on from work/iter_10.pth."]
    told = "Ending after this iteration. Ctrl-C again ends at once.\n" if number == signal.SIGINT else ""
    assert capfd.readouterr().err == told


def test_what_is_saved_is_not_saved_again(hook):
    runner = make_runner()
    runner.hooks[0].last_ckpt = "work/iter_10.pth"
    hook.note(signal.SIGTERM, None)
    with pytest.raises(SystemExit):
        hook.after_train_iter(runner, 0)
    assert runner.events == [] and "goes on from work/iter_10.pth" in runner.logged[0]


def test_accumulated_gradients_are_waited_for(hook):
    """They are in no checkpoint."""
    hook.note(signal.SIGTERM, None)
    runner = make_runner(updated=False)
    hook.after_train_iter(runner, 0)
    assert runner.events == []
    with pytest.raises(SystemExit):
        hook.after_train_iter(make_runner(updated=True), 0)


@pytest.mark.parametrize("settings", [dict(loop=EpochBasedTrainLoop), dict(loop=EpochBasedTrainLoop, by_epoch=True)])
def test_within_an_epoch_nothing_is_saved(settings, hook):
    runner = make_runner(**settings)
    hook.note(signal.SIGTERM, None)
    with pytest.raises(SystemExit):
        hook.after_train_iter(runner, 0)
    assert runner.events == [] and runner.logged[0].endswith("The same command goes on from the last checkpoint.")


def test_in_a_validation(hook):
    """The averaged weights, with which it is done, have to give place to the others."""
    runner = make_runner()
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0)
    hook.note(signal.SIGTERM, None)
    with pytest.raises(SystemExit) as end:
        hook.after_val_iter(runner, 0)
    assert end.value.code == 143
    assert runner.events == ["swapped back", ("saved", 9, dict(epoch=0, iter=9))]


def test_before_and_after_the_training_it_ends_at_once(hook):
    hook.after_train(make_runner())
    for waiting in (hook, StopHook()):
        with pytest.raises(SystemExit) as end:
            waiting.note(signal.SIGTERM, None)
        assert end.value.code == 143
        with pytest.raises(KeyboardInterrupt):
            waiting.note(signal.SIGINT, None)


def test_another_ctrl_c_ends_at_once(hook, monkeypatch):
    """But not one that comes in the same second: launchers pass on what their processes got as well."""
    hook.note(signal.SIGINT, None)
    hook.note(signal.SIGINT, None)
    later = time.monotonic() + stop_hook.AGAIN + 0.1
    monkeypatch.setattr(stop_hook.time, "monotonic", lambda: later)
    hook.note(signal.SIGTERM, None)  # never
    hook = StopHook()
    hook.before_train(make_runner())
    hook.note(signal.SIGINT, None)
    monkeypatch.setattr(stop_hook.time, "monotonic", lambda: later + stop_hook.AGAIN + 0.1)
    with pytest.raises(KeyboardInterrupt):
        hook.note(signal.SIGINT, None)


@pytest.mark.parametrize("interval, counts, warns", [(4, 1, False), (20, 5, False), (4, 3, True)])
def test_checkpoints_within_an_accumulation_are_warned_of(interval, counts, warns):
    runner = make_runner(counts=counts, interval=interval)
    StopHook().before_train(runner)
    assert len(runner.logged) == warns
    if warns:
        assert "checkpoints every 4 iterations, gradients accumulated over 3" in runner.logged[0]


class TestHandled:
    """Signals are handled for the time of a block."""

    def test_handler(self):
        received = []
        before = signal.getsignal(signal.SIGTERM)
        with handled({signal.SIGTERM: lambda number, frame: received.append(number)}):
            os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM] and signal.getsignal(signal.SIGTERM) == before

    def test_end_at_once(self):
        with pytest.raises(SystemExit) as end, handled({signal.SIGTERM: end_at_once}):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        assert end.value.code == 143

    def test_forked_processes_end(self):
        """Not through handlers, which wait for Python: pools count on SIGTERM."""
        with handled({signal.SIGTERM: end_at_once}), handled({signal.SIGTERM: lambda number, frame: None}):
            process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
            process.start()
            process.terminate()
            process.join(20)
        assert process.exitcode == -signal.SIGTERM

    @pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
    def test_others_are_left_alone(self, handler):
        """A handler of the user's, or one that nohup has set."""
        before = signal.signal(signal.SIGTERM, handler)
        try:
            with handled({signal.SIGTERM: end_at_once}):
                assert signal.getsignal(signal.SIGTERM) == handler
        finally:
            signal.signal(signal.SIGTERM, before)
