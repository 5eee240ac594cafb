"""Environment and fixtures for all tests."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SITE = TESTS / "subprocess_site"
sys.path[:0] = [str(TESTS), str(SITE)]
import torchvision_schemas  # noqa: E402, F401  before anything of the toolbox
from testing.utils import ROOT, make_voc  # noqa: E402

# for the processes that the tests start, which run beside each other on few cores
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(TESTS), str(SITE), os.environ.get("PYTHONPATH", "")])
os.environ["OMP_NUM_THREADS"] = "1"
CACHE = tempfile.TemporaryDirectory(prefix="fcn_plugin_cache")
os.environ["FCN_PLUGIN_CACHE"] = CACHE.name


@pytest.fixture(scope="session")
def voc(tmp_path_factory) -> Path:
    """Root of a tiny data set in VOC layout: four images to train on, two to validate on."""
    return make_voc(tmp_path_factory.mktemp("voc"))
