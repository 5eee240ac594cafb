"""PASCAL VOC and SBD in miniature, in the layout of the published archives, and a server to download them from."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from fcn_plugin.datasets.preparation.prepare_voc import prepare_voc
from fcn_plugin.datasets.preparation.release import VOC_RELEASE, Archive, VOCRelease
from fcn_plugin.datasets.shapes_generator import voc_palette
from testing.utils import PROCESSES

SIZE = (48, 40)  # width and height
TRAIN = [f"2007_00000{i}" for i in range(4)]
VAL = [f"2009_00000{i}" for i in range(4)]
SBD_ONLY = [f"2010_00000{i}" for i in range(5)]
UNLABELLED = ["2011_000000"]
TEST = ["2012_000000", "2012_000001"]
SBD_TRAIN = [VAL[1], TRAIN[0], *SBD_ONLY[:3]]
SBD_VAL = [TRAIN[1], VAL[0], *SBD_ONLY[3:], VAL[3]]
VOC2011_VAL = [VAL[2], VAL[0], VAL[1]]
#: What follows from the lists above by the definitions.
SEG11VALID = [VAL[2], VAL[0]]
TRAINAUG = [*TRAIN, *SBD_ONLY]
AUG = SBD_ONLY
LISTS = dict(
    train=TRAIN,
    val=VAL,
    trainval=[*TRAIN, *VAL],
    sbd_train=SBD_TRAIN,
    sbd_val=SBD_VAL,
    trainaug=TRAINAUG,
    aug=AUG,
    seg11valid=SEG11VALID,
)


def voc_label(name: str) -> np.ndarray:
    """The label that the small VOC2012 has for an image, with an ignored border."""
    label = _blocks(name, 1)
    label[:2] = label[:, :2] = 255
    return label


def sbd_label(name: str) -> np.ndarray:
    """The label that the small SBD has for an image, other than VOC's."""
    return _blocks(name, 2)


def _blocks(name: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng([int(name.replace("_", "")), seed])
    return rng.integers(0, 21, (SIZE[1] // 8, SIZE[0] // 8)).repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)


def make_archives(folder: Path, more: int = 0) -> VOCRelease:
    """Write the four archives into ``folder``.

    Args:
        folder (Path): is made.
        more (int): so many further images in SBD's train.

    Returns:
        VOCRelease: describes them; without addresses.
    """
    source = folder.parent / f"{folder.name}_source"
    sbd_train = [*SBD_TRAIN, *(f"2010_{number:06d}" for number in range(100, 100 + more))]
    images = [*TRAIN, *VAL, *SBD_ONLY, *sbd_train[len(SBD_TRAIN) :], *UNLABELLED]
    voc = source / VOC_RELEASE.voc2012.folder
    voc2011 = source / VOC_RELEASE.voc2011.folder
    voc2012test = source / "test" / VOC_RELEASE.voc2012test.folder
    for root, names in ((voc, images), (voc2011, VOC2011_VAL[:1]), (voc2012test, TEST)):
        for name in names:
            picture = Image.fromarray(np.stack([10 * _blocks(name, 1)] * 3, axis=-1))
            picture.save(_file(root / f"JPEGImages/{name}.jpg"))
    for name in (*TRAIN, *VAL):
        png = Image.fromarray(voc_label(name))
        png.putpalette(voc_palette().tobytes())
        png.save(_file(voc / f"SegmentationClass/{name}.png"))
    dataset = source / VOC_RELEASE.sbd.folder
    for name in (*sbd_train, *SBD_VAL):
        boundaries = np.zeros((20, 1), object)
        content = dict(Segmentation=sbd_label(name), Boundaries=boundaries, CategoriesPresent=np.uint8([[1]]))
        for kind in ("cls", "inst"):
            savemat(_file(dataset / f"{kind}/{name}.mat"), dict(GTcls=content), do_compression=True)
    lists = {voc / f"ImageSets/Segmentation/{split}.txt": LISTS[split] for split in ("train", "val", "trainval")}
    lists |= {dataset / "train.txt": sbd_train, dataset / "val.txt": SBD_VAL, dataset / "img/not_wanted.txt": []}
    lists[voc2011 / "ImageSets/Segmentation/val.txt"] = VOC2011_VAL
    lists[voc2012test / "ImageSets/Segmentation/test.txt"] = TEST
    for path, names in lists.items():
        _file(path).write_text("".join(f"{name}\n" for name in names))

    folder.mkdir(parents=True)
    counts = {name: len(names) for name, names in LISTS.items()}
    counts |= dict(sbd_train=len(sbd_train), trainaug=len(TRAINAUG) + more, aug=len(AUG) + more)
    return VOCRelease(
        voc2012=_pack(folder, VOC_RELEASE.voc2012, source, "VOCdevkit"),
        sbd=_pack(folder, VOC_RELEASE.sbd, source, "benchmark_RELEASE"),
        voc2011=_pack(folder, VOC_RELEASE.voc2011, source, "TrainVal"),
        voc2012test=replace(_pack(folder, VOC_RELEASE.voc2012test, source / "test", "VOCdevkit"), md5=None, size=None),
        images=len(images),
        counts=dict(**counts, test=len(TEST), voc2011_val=len(VOC2011_VAL)),
        seg11valid=tuple(SEG11VALID),
    )


def _pack(folder: Path, archive: Archive, source: Path, top: str) -> Archive:
    path = folder / archive.name
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as tar:
        tar.add(source / top, top)
    return describe(archive, path)


def describe(archive: Archive, path: Path, **changes) -> Archive:
    """The archive with the size and checksum of a file."""
    content = path.read_bytes()
    return replace(archive, md5=hashlib.md5(content).hexdigest(), size=len(content), unpacked=len(content), **changes)


def _file(path: Path) -> Path:
    """The path, for which there is a directory then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


class Server(ThreadingHTTPServer):
    """Serves the files of a folder; can break off, forget how to serve parts, and remembers what it was asked.

    Attributes:
        requests (list): path and headers of each request.
        ranges (bool): whether it knows parts.
        cuts (list[int]): after how many bytes it closes the next connections.
        hold (threading.Event): where it is cut, wait for this instead.
        statuses (list[int]): errors to answer the next requests with.
        shift (int): send a part that begins so many bytes later than asked for.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests, self.ranges, self.cuts, self.hold = [], True, [], None
        self.statuses, self.shift = [], 0

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def serve(self, release: VOCRelease) -> VOCRelease:
        """The release, to be downloaded from here."""
        return release.with_urls({key: self.url(getattr(release, key).name) for key in ("voc2012", "sbd", "voc2011")})


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Server = self.server
        server.requests.append((self.path, dict(self.headers)))
        name = self.path.lstrip("/")
        if server.statuses or not (server.folder / name).is_file():
            self.send_error(server.statuses.pop(0) if server.statuses else 404)
            return
        content = (server.folder / name).read_bytes()
        part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if server.ranges else None
        start = int(part[1]) if part else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        if start:
            start += server.shift
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else len(content)
        self.wfile.write(content[start:cut])
        self.wfile.flush()
        if cut < len(content) and server.hold is not None:
            server.hold.wait(120)

    def log_message(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder on 127.0.0.1 for the time of the block."""
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def prepare(root: Path, archives: Path | None, release: VOCRelease, workers: int) -> None:
    """For a process of its own, which forks its workers (as a process from the shell does on most systems)."""
    multiprocessing.set_start_method("fork", force=True)
    prepare_voc(root, archives, workers=workers, release=release)


def kill_when(condition: Callable[[], bool], function: Callable, *args: object, **kwargs: object) -> None:
    """Call a function in a process of its own, and kill it alone as soon as a condition holds."""
    process = PROCESSES.Process(target=function, args=args, kwargs=kwargs)
    process.start()
    end = time.monotonic() + 60
    while not condition():
        assert process.is_alive() and time.monotonic() < end
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
