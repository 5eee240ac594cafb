import multiprocessing
import os
import signal
import sys
import time
from functools import partial

import pytest
from testing.utils import PROCESSES

from fcn_plugin.benchmark.process import SideError, SideProcess, side_processes


class Counter:
    """What the tests run in another process."""

    def __init__(self, start=0, error=None):
        if error:
            raise error
        self.count = start

    def add(self, one, other=0):
        self.count += one + other
        return self.count

    def fail(self, error):
        raise error

    def kill(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def leave(self):
        sys.stderr.close()
        os._exit(3)

    def pid(self):
        return os.getpid()

    def sleep(self):
        time.sleep(60)


def gone(pid, seconds=10):
    """Whether a process ends within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")


@needs_proc
def test_each_side_has_its_own_process():
    with side_processes({"a": Counter, "b": partial(Counter, 10)}, PROCESSES) as sides:
        assert [sides["a"].call("add", 1), sides["b"].call("add", 1, 2), sides["a"].call("add", 1)] == [1, 13, 2]
        pids = [side.call("pid") for side in sides.values()]
        assert len({os.getpid(), *pids}) == 3
    assert all(map(gone, pids))


@pytest.mark.parametrize(
    "method, args, message",
    [
        ("fail", [ValueError("say what to do\nand more")], "^b: say what to do$"),
        ("fail", [RuntimeError("out of memory")], "^b: RuntimeError: out of memory$"),
        ("fail", [AssertionError()], "^b: AssertionError: $"),
        ("kill", [], "^the process of b was killed by SIGKILL: the memory may not suffice$"),
        ("leave", [], "^the process of b ended with exit code 3$"),
    ],
)
def test_a_side_that_fails_is_named(method, args, message):
    with pytest.raises(SideError, match=message):
        with side_processes({"a": Counter, "b": Counter}, PROCESSES) as sides:
            processes = [side.process for side in sides.values()]
            sides["b"].call(method, *args)
    assert len(processes) == 2 and not any(process.is_alive() for process in processes)


def test_a_side_that_ended_before_is_named():
    with side_processes({"a": Counter}, PROCESSES) as sides:
        os.kill(sides["a"].call("pid"), signal.SIGTERM)
        sides["a"].process.join()
        with pytest.raises(SideError, match="^the process of a was killed by SIGTERM$"):
            sides["a"].call("add", 1)


def test_a_side_that_cannot_be_made_is_named():
    makers = {"a": Counter, "b": partial(Counter, error=FileNotFoundError("there is no config"))}
    with pytest.raises(SideError, match="^b: there is no config$"):
        with side_processes(makers, PROCESSES):
            pytest.fail("one of them is not there")
    assert not [process for process in multiprocessing.active_children() if process.name in makers]


@needs_proc
def test_busy_sides_end_with_an_error_of_ours():
    with pytest.raises(KeyError):
        with side_processes({"a": Counter}, PROCESSES) as sides:
            pid = sides["a"].call("pid")
            sides["a"]._connection.send(("sleep", ()))
            raise KeyError
    assert gone(pid)


def parent(connection):
    """Start a side, tell its process, and be killed."""
    side = SideProcess("a", Counter, PROCESSES)
    side.wait_until_ready()
    connection.send(side.call("pid"))
    side.call("sleep")


@needs_proc
def test_busy_sides_end_with_a_killed_parent():
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=parent, args=(theirs,))
    process.start()
    pid = ours.recv()
    assert not gone(pid, seconds=0.2)
    process.kill()
    process.join()
    assert gone(pid)


def test_environment(monkeypatch):
    seen = {}

    class Context:
        Pipe = staticmethod(multiprocessing.Pipe)

        class Process:
            def __init__(self, **_):
                pass

            def start(self):
                seen.update(os.environ)

    monkeypatch.setenv("FCN_OLD", "old")
    SideProcess("a", Counter, Context(), {"FCN_OLD": "new", "FCN_NEW": "1"})
    assert (seen["FCN_OLD"], seen["FCN_NEW"], seen["PATH"]) == ("new", "1", os.environ["PATH"])
    assert os.environ["FCN_OLD"] == "old" and "FCN_NEW" not in os.environ
