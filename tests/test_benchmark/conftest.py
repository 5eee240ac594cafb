"""A narrow config, and a peer that is the same network."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from testing.stub_peer import make_stub_peer
from testing.utils import tiny_config


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> str:
    """Path of a narrow FCN-32s on VGG16 with the PAMI recipe."""
    folder = tmp_path_factory.mktemp("config")
    return str(tiny_config(folder, folder))


@pytest.fixture
def stub_peer(tmp_path, monkeypatch) -> Path:
    """A narrow ``torchfcn`` in place of an installed one."""
    folder = make_stub_peer(tmp_path / "site")
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def real_peer() -> None:
    """Skip the test where the real one is not installed."""
    if find_spec("torchfcn") is None:
        pytest.skip("torchfcn is not installed")
