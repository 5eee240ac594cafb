"""The small data set that is reported on."""

from pathlib import Path

import pytest
from mmengine.config import Config
from testing.three_pictures import settings_for, write_pictures


@pytest.fixture
def root(tmp_path) -> Path:
    return write_pictures(tmp_path / "data & labels")


@pytest.fixture
def cfg(root) -> Config:
    return Config(settings_for(root))
