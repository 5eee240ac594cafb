"""A narrow config, and a peer that is the same network."""

from argparse import Namespace

import pytest
from testing.stub_peer import make_stub_peer
from testing.utils import tiny_config

from fcn_plugin_cli import main as cli


@pytest.fixture
def options(tmp_path, monkeypatch) -> Namespace:
    """Options with a narrow ``torchfcn`` in place of an installed one; the tests' process gives its memory back."""
    monkeypatch.syspath_prepend(make_stub_peer(tmp_path / "site"))
    monkeypatch.setattr("benchmarks.sides.keep_freed_memory", lambda: True)
    config = str(tiny_config(tmp_path, tmp_path))
    arguments = "--peer torchfcn --shape 20 31 --batch 2 --dtype fp32 --device cpu --repeats 1 --layers --sweep"
    _, parser = cli.load("benchmark")
    return parser.parse([config, *arguments.split()])
