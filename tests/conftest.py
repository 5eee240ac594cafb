"""Environment and fixtures for all tests."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torchvision_schemas  # noqa: F401  before anything of the toolbox
from testing.utils import make_voc, skip_on_openmmlab

CACHE = tempfile.TemporaryDirectory(prefix="fcn_plugin_cache")


def pytest_configure(config: pytest.Config) -> None:
    """Set what the processes that the tests start find, beside each other on few cores."""
    paths = [*map(str, config.getini("pythonpath")), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it, and all that it starts
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)  # of this process, which has read the variable before
    os.environ["FCN_PLUGIN_CACHE"] = CACHE.name


def pytest_collection_finish() -> None:
    """Leave what is imported out of garbage collections: the toolbox collects whenever it builds a data set."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip what fails on the stack of OpenMMLab's own distributions for a package that does not belong to it."""
    try:
        return (yield)
    except Exception as error:
        for package in ("mmpretrain", "timm"):
            if package in str(error) and find_spec(package) is None:
                skip_on_openmmlab(package)
        raise


@pytest.fixture(autouse=True)
def loading_as_before():
    """What is set in a test to load safely is for this process, and for that test alone."""
    yield
    os.environ.pop("TORCH_FORCE_WEIGHTS_ONLY_LOAD", None)


@pytest.fixture(scope="session")
def voc(tmp_path_factory) -> Path:
    """Root of a tiny data set in VOC layout: four images to train on, two to validate on."""
    return make_voc(tmp_path_factory.mktemp("voc"))
