"""A tiny data set, tiny configs, and ways to run the tools on them in processes of their own."""

from __future__ import annotations

import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.utils import digit_version
from PIL import Image
from yapf.yapflib import yapf_api

ROOT = Path(__file__).parents[2]
#: Size of the images of :func:`make_voc`, height and width.
IMAGE_SIZE = (40, 48)
#: Narrow network: channels of pool3, pool4 and pool5 at width 0.05, and of fc7.
WIDTH, POOL3, POOL4, POOL5, FC7 = 0.05, 13, 26, 26, 32
HEAD_CHANNELS = {"fcn32s": [FC7], "fcn16s": [POOL4, FC7], "fcn8s": [POOL3, POOL4, FC7]}

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["fcn_plugin", "mmseg.apis", "torch._dynamo", "yapf.yapflib.yapf_api", "testing.frozen"]
)


def make_voc(root: Path, num_classes: int = 21) -> Path:
    """Write six images whose brightness follows their labels, with more ignored pixels from one to the next.

    Each shows all classes: the 21 of VOC. The same images with CamVid's 11 classes are in ``root/camvid``.
    """
    names = [f"image{i}" for i in range(6)]
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    height, width = IMAGE_SIZE
    for i, name in enumerate(names):
        label = random.permutation(np.arange(30) % num_classes).astype(np.uint8)
        label = label.reshape(5, 6).repeat(8, axis=0).repeat(8, axis=1)
        image = 220 // num_classes * label[..., None] + random.integers(0, 40, (height, width, 3), dtype=np.uint8)
        Image.fromarray(image.astype(np.uint8)).save(root / f"JPEGImages/{name}.jpg")
        border = 1 + i
        label[:border] = label[:, :border] = 255
        png = Image.fromarray(label, mode="P")
        png.putpalette(random.integers(0, 256, 768, dtype=np.uint8).tobytes())
        png.save(root / f"SegmentationClass/{name}.png")
    for split, part in (("train", names[:4]), ("val", names[4:])):
        (root / f"ImageSets/Segmentation/{split}.txt").write_text("".join(f"{name}\n" for name in part))
    if num_classes == 21:
        make_voc(root / "camvid", 11)
    return root


def tiny_config(folder: Path, voc: Path, base: str = "fcn32s_vgg16_voc", name: str | None = None, **settings) -> Path:
    """Write a config on top of the shipped ``base`` for a narrow network and a few iterations.

    Args:
        folder (Path): where to write it, with a stage of it.
        voc (Path): root of the data, see :func:`make_voc`.
        base (str): name of a shipped config.
        name (str, optional): name of the config, that of the model (``fcn32s``) by default.
        **settings: further settings, merged into the config.
    """
    model = base.split("_")[0].split("-")[0]
    root = voc / "camvid" if base.endswith("_camvid") else voc
    loader = dict(num_workers=0, persistent_workers=False, dataset=dict(data_root=str(root)))
    tiny = Config(
        dict(
            train_dataloader=loader,
            val_dataloader=loader,
            test_dataloader=loader,
            model=dict(
                backbone=dict(width=WIDTH, init_cfg=None),
                neck=dict(in_channels=POOL5, channels=FC7, init_cfg=None),
            ),
            train_cfg=dict(max_iters=4, val_interval=100),
            default_hooks=dict(checkpoint=dict(interval=2), logger=dict(interval=1)),
        )
    )
    tiny.merge_from_dict(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or model}.py"
    path.write_text(f"_base_ = {str(ROOT / 'configs' / base)!r} + '.py'\n{tiny.pretty_text}")
    return path


def skip_on_openmmlab(what: str) -> None:
    """Skip a test that needs what the stack of OpenMMLab's own distributions does not have: mmpretrain, timm.

    That stack is told by what tools/run_tests.sh is told, not by what can be imported: elsewhere a missing package is a
    failure.
    """
    if os.environ.get("FCN_PLUGIN_STACK") == "openmmlab":
        pytest.skip(f"OpenMMLab's own distributions come without {what}")


def needs_torch(version: str, what: str) -> pytest.MarkDecorator:
    """Marks tests of what PyTorch has not done before a version."""
    older = digit_version(torch.__version__) < digit_version(version)
    return pytest.mark.skipif(older, reason=f"{what} needs PyTorch {version}, here is {torch.__version__}")


@dataclass
class Outcome:
    """How a process ended."""

    returncode: int
    stdout: str
    stderr: str
    left: list[int] = field(default_factory=list)  #: processes that it left behind, by their number

    def check(self) -> Outcome:
        """Fail, showing what the process wrote, unless it ended well."""
        assert self.returncode == 0, f"exit code {self.returncode}\n{self.stdout[-2000:]}\n{self.stderr[-4000:]}"
        return self

    @property
    def errors(self) -> list[str]:
        """The lines of stderr that report an error."""
        return [line for line in self.stderr.splitlines() if line.lower().startswith(("error", "traceback"))]


def run_tool(
    tool: str,
    *args: object,
    cwd: Path,
    timeout: float = 120,
    kill_when: Callable | None = None,
    interrupt: Callable[[int], object] | None = None,
) -> Outcome:
    """Run ``tools/{tool}`` with arguments in a fresh process that has the toolbox imported already.

    Args:
        tool (str): ``train.py`` or ``test.py``.
        *args: its arguments.
        cwd (Path): its working directory.
        timeout (float): seconds after which it is killed and the test fails.
        kill_when (Callable, optional): kill it with all its children (SIGKILL) once this returns true.
        interrupt (Callable, optional): do this to it, by its number, once ``kill_when`` returns true, and wait for its
            end.
    """
    with tempfile.TemporaryDirectory() as log:
        process = PROCESSES.Process(target=_run_tool, args=(tool, [str(arg) for arg in args], str(cwd), log))
        process.start()
        end = time.monotonic() + timeout
        left = []
        try:
            while process.is_alive() and time.monotonic() < end:
                if kill_when and kill_when():
                    if not interrupt:
                        break
                    interrupt(process.pid)
                    kill_when = None
                process.join(0.02 if kill_when else 1)
            assert time.monotonic() < end, f"{tool} took longer than {timeout} s\n" + Path(log, "stderr").read_text()
            left = [] if process.is_alive() else group_of(process.pid)
        finally:
            _kill_group(process.pid)
            process.join()
        return Outcome(process.exitcode, Path(log, "stdout").read_text(), Path(log, "stderr").read_text(), left)


def _run_tool(tool: str, args: list[str], cwd: str, log: str) -> None:
    os.setsid()  # a group of its own, to be killed as a whole
    os.chdir(cwd)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(os.path.join(log, name), os.O_WRONLY | os.O_CREAT), descriptor)
    torch.set_num_threads(1)
    # mmengine formats the config for the log, the checkpoint and the work directory, for seconds each
    yapf_api.FormatCode = lambda code, **_: (code, False)
    path = str(ROOT / "tools" / tool)
    sys.argv = [path, *args]
    runpy.run_path(path, run_name="__main__")


@contextmanager
def started(*command: object, cwd: Path, **environment: object) -> Iterator[subprocess.Popen]:
    """Start a command from a shell's point of view; what is left of it is killed at the end."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PATH": path, **{key: str(value) for key, value in environment.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _kill_group(process.pid)
        process.wait()


def run(*command: object, cwd: Path, timeout: float = 120, **environment: object) -> Outcome:
    """Run a command, with additional environment variables, to its end."""
    with started(*command, cwd=cwd, **environment) as process:
        return finish(process, timeout)


def finish(process: subprocess.Popen, timeout: float = 120) -> Outcome:
    """Wait for a process and read what it wrote."""
    stdout, stderr = process.communicate(timeout=timeout)
    return Outcome(process.returncode, stdout, stderr)


def group_of(leader: int) -> list[int]:
    """The processes of a group that are alive, without its leader."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            if int(group) == leader != int(path.parent.name) and state != "Z":
                found.append(int(path.parent.name))
    return found


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The state dict of a checkpoint."""
    from fcn_plugin.weights.checkpoint import read_checkpoint

    return read_checkpoint(checkpoint)["state_dict"]


def assert_same_weights(actual: Path, expected: Path, keys: Sequence[str] | None = None, **tolerances: float) -> None:
    """Compare two checkpoints by name and value, bit by bit unless tolerances (``rtol``, ``atol``) are given."""
    actual_weights, expected_weights = weights(actual), weights(expected)
    if keys is None:
        assert actual_weights.keys() == expected_weights.keys()
        keys = list(expected_weights)
    assert keys
    for key in keys:
        message = lambda text, key=key: f"{key}: {text}"  # noqa: E731
        torch.testing.assert_close(
            actual_weights[key], expected_weights[key], msg=message, **(tolerances or dict(rtol=0, atol=0))
        )
