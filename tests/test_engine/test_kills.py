"""Killed at random moments, a command that is given again ends as if nothing had happened, bit by bit."""

import os
import random
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess as Process
from pathlib import Path

import pytest
from testing.shapes import narrow_stages
from testing.small_release import make_archives, prepare
from testing.utils import (
    PROCESSES,
    ROOT,
    Outcome,
    _run_tool,
    assert_same_weights,
    finish,
    free_port,
    group_of,
    run_tool,
    started,
)

from fcn_plugin.datasets.shapes_generator import write_shapes
from fcn_plugin.utils.signals import end_at_once, handled

STAGES = ("fcn32s_narrow", "fcn16s_narrow", "fcn8s_narrow")
SETTINGS = """
train_cfg = dict(max_iters=6, val_interval=3)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2, max_keep_ckpts=1))
optim_wrapper = dict(accumulative_counts=2)
custom_hooks = [dict(type='EMAHook')]
precision = 'float32'
train_dataloader = dict(num_workers=0, persistent_workers=False, batch_size=1)
val_dataloader = dict(num_workers=0, persistent_workers=False)
"""
SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}  # and the exit code


def send(number: int) -> Callable[[int], None]:
    return lambda pid: os.kill(pid, number)


def fill_disk(pid: int, limit: int = 100_000) -> None:
    """From now on the process cannot write larger files, in bytes: a checkpoint is, logs are smaller."""
    with suppress(ProcessLookupError):  # it has ended
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, limit))


#: What is done to a process, and its exit code.
KINDS = {**{send(number): code for number, code in SIGNALS.items()}, fill_disk: 1}


def kinds(number: int) -> Iterator[tuple[Callable[[int], None], int]]:
    """Equally many of each, shuffled."""
    chosen = [*KINDS.items()] * (number // len(KINDS) + 1)
    random.Random(number).shuffle(chosen)
    yield from chosen[:number]


def check_end(outcome: Outcome, code: int) -> bool:
    """Check how an interrupted run ended; False if it had come to its end."""
    if outcome.returncode == 0:
        return False
    text = outcome.stdout[-1000:] + outcome.stderr[-3000:]
    assert outcome.returncode == code, text
    assert "Traceback" not in outcome.stderr and "Logging error" not in outcome.stderr, text
    if code == 1:
        (error,) = outcome.errors
        assert error.startswith("error: ") and "File too large" in error
    assert not outcome.left or outcome.returncode == -signal.SIGKILL
    return True


def progress(folder: Path) -> int:
    """The number of lines in the logs below a folder that tell of iterations."""
    return sum(len(re.findall(r"Iter\(", file.read_text())) for file in folder.glob("*/*/*.log"))


def random_moment(folder: Path, draw: random.Random) -> Callable[[], bool]:
    """A condition that becomes true some time after the start, or after so many more iterations."""
    iterations = draw.choice([0, 0, 1, 1, 2, 3])
    wait = draw.uniform(0, 0.1) if iterations else draw.uniform(0.3, 1.2)
    before, since = progress(folder), [] if iterations else [time.monotonic()]

    def there() -> bool:
        if not since and progress(folder) >= before + iterations:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] > wait

    return there


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    """Data, configs, and in ``work`` what the three stages end with."""
    folder = tmp_path_factory.mktemp("kills")
    write_shapes(folder / "data", 6, 2, (80, 64))
    narrow_stages(folder / "configs", SETTINGS)
    run_tool("train.py", *command(folder, folder / "work"), cwd=folder).check()
    return folder


def command(shapes: Path, work: Path) -> tuple[object, ...]:
    """The arguments of a training of all stages, each in its directory in ``work``."""
    return shapes / f"configs/{STAGES[-1]}.py", "--data-root", shapes / "data", "--work-dir", work / STAGES[-1]


def check_result(work: Path, expected: Path, stages: Sequence[str] = STAGES) -> None:
    for stage in stages:
        assert_same_weights(work / stage / "iter_6.pth", expected / stage / "iter_6.pth")
        assert not list((work / stage).glob(".*"))
        assert (work / stage / "last_checkpoint").read_text() == str(work / stage / "iter_6.pth")


def test_training(shapes, tmp_path):
    """In preparation, training, validation, checkpoints and hand-over of three stages, begun anew where they end."""
    draw, works = random.Random(0), [tmp_path / "0"]
    for interrupt, code in kinds(15):
        while True:
            moment = random_moment(works[-1], draw)
            outcome = run_tool(
                "train.py", *command(shapes, works[-1]), cwd=tmp_path, kill_when=moment, interrupt=interrupt
            )
            if check_end(outcome, code):
                break
            works.append(tmp_path / str(len(works)))
    run_tool("train.py", *command(shapes, works[-1]), cwd=tmp_path).check()
    for work in works:
        check_result(work, shapes / "work")


OPTIONS = ("train_cfg.max_iters=6", "train_dataloader.num_workers=1")


def train_in_two(shapes: Path, work: Path, number: int | None = None) -> tuple[list[int], str]:
    """The exit codes of two processes, the second of which gets a signal and then, unless killed, the first."""
    arguments = (shapes / f"configs/{STAGES[0]}.py", "--data-root", shapes / "data", "--launcher", "pytorch")
    arguments += ("--work-dir", work / STAGES[0], "--cfg-options", *OPTIONS)
    before, port = progress(work), free_port()
    processes = [
        PROCESSES.Process(target=in_group, args=(rank, port, work / f"log{rank}", [*map(str, arguments)]))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    while number and progress(work) <= before:
        assert all(process.is_alive() for process in processes)
        time.sleep(0.01)
    for process in reversed(processes if number == signal.SIGINT else processes[1:] if number else []):
        os.kill(process.pid, number)
        time.sleep(0.03)
    for process in processes:
        process.join(60)
        assert not group_of(process.pid) or process.exitcode == -9
    output = "".join(path.read_text() for path in work.glob("log?/std*"))
    codes = [process.exitcode for process in processes]
    assert number or codes == [0, 0], output[-3000:]
    return codes, output


@pytest.fixture(scope="module")
def two_processes(shapes, tmp_path_factory) -> Path:
    """Where two processes trained the first stage."""
    work = tmp_path_factory.mktemp("two")
    train_in_two(shapes, work)
    return work


class TestTwoProcesses:
    """Signals come to the launcher, or to both processes, and never at the same moment of their iterations."""

    def test_with_a_launcher(self, shapes, two_processes, tmp_path):
        """And gone on with without one."""
        arguments = ("--data-root", shapes / "data", "--work-dir", tmp_path / STAGES[0], "--cfg-options", *OPTIONS)
        command = ("bash", ROOT / "tools/dist_train.sh", shapes / f"configs/{STAGES[0]}.py", 2, *arguments)
        with started(*command, cwd=shapes, PORT=free_port()) as process:
            while process.poll() is None and not progress(tmp_path):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            outcome = finish(process)
        assert outcome.returncode == 143 and "Traceback" not in outcome.stderr, outcome.stderr[-3000:]
        assert outcome.stdout.count("SIGTERM: ended at iteration") == 1
        train_in_two(shapes, tmp_path)
        check_result(tmp_path, two_processes, STAGES[:1])

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_without(self, number, shapes, two_processes, tmp_path):
        codes, output = train_in_two(shapes, tmp_path, number)
        if number == signal.SIGKILL:
            assert codes == [1, -9]
        else:
            assert codes == [130, 130] and "Traceback" not in output
            assert (
                output.count("SIGINT: ended at iteration") == 1 == output.count("Ending after this iteration. Ctrl-C")
            )
        train_in_two(shapes, tmp_path)
        check_result(tmp_path, two_processes, STAGES[:1])


def in_group(rank: int, port: int, log: Path, arguments: list[str]) -> None:
    """For a process of its own: train as one of two."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    log.mkdir(exist_ok=True)
    _run_tool("train.py", arguments, str(log.parent), str(log))


def call(function: Callable, *args: object) -> None:
    """What a subcommand is for a function: for a process of its own."""
    os.setsid()
    with handled({signal.SIGTERM: end_at_once}):
        function(*args)


def files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["voc", "shapes"])
def test_preparation(kind, tmp_path):
    """What is written by a disturbed preparation is the same as by another, and nothing else is left."""
    place, work = tmp_path / "place", tmp_path / "place/work"
    release = make_archives(tmp_path / "archives")
    functions = {
        "voc": lambda root: (prepare, root, tmp_path / "archives", release, 2),
        "shapes": lambda root: (write_shapes, root, 60, 10, (80, 64)),
    }
    place.mkdir()

    def start(root: Path) -> Process:
        process = PROCESSES.Process(target=call, args=functions[kind](root))
        process.start()
        return process

    start(tmp_path / "expected").join()
    expected, draw = files(tmp_path / "expected"), random.Random(kind)
    for interrupt, _ in kinds(6):
        ended = True
        while ended:  # before it was interrupted
            shutil.rmtree(work, ignore_errors=True)
            process, number = start(work), draw.randrange(len(expected))
            while process.is_alive() and sum(1 for path in place.rglob("*") if path.is_file()) <= number:
                time.sleep(0.001)
            if interrupt is fill_disk:
                fill_disk(process.pid, 10)
            else:
                interrupt(process.pid)
            process.join(60)
            ended = process.exitcode == 0
            assert process.exitcode == -9 or not group_of(process.pid)
    process = start(work)
    process.join()
    assert process.exitcode == 0 and files(work) == expected
