"""Imported by every Python process that the tests start (this directory is on its PYTHONPATH)."""

import torchvision_schemas  # noqa: F401
