"""A narrow config, and a peer that is the same network."""

from argparse import Namespace

import pytest
from testing.stub_peer import make_stub_peer
from testing.utils import tiny_config


@pytest.fixture(scope="session")
def config(tmp_path_factory) -> str:
    """Path of a narrow FCN-32s on VGG16 with the PAMI recipe."""
    folder = tmp_path_factory.mktemp("config")
    return str(tiny_config(folder, folder))


@pytest.fixture
def stub_peer(tmp_path, monkeypatch) -> None:
    """A narrow ``torchfcn`` in place of an installed one."""
    monkeypatch.syspath_prepend(make_stub_peer(tmp_path / "site"))


@pytest.fixture
def options(config, monkeypatch) -> Namespace:
    """Options of the command line; the process of the tests gives its memory back."""
    monkeypatch.setattr("benchmarks.sides.keep_freed_memory", lambda: True)
    return Namespace(
        config=config,
        peer=None,
        shape=[20, 31],
        batch=2,
        dtype=["fp32"],
        device="cpu",
        repeats=1,
        layers=True,
        sweep=False,
        threads=None,
        width=1,
        seed=0,
        peer_keeps_memory=False,
        json=None,
    )
