"""Packaging: metadata is in pyproject.toml; the wheel carries configs and tools as ``fcn_plugin/.mim``."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Copy configs and tools into the package, where OpenMMLab packages have them."""

    def run(self) -> None:
        """Build the modules, then add the files (not for an editable install, which reads the checkout)."""
        super().run()
        if self.editable_mode:
            return
        for name in ("configs", "tools"):
            target = Path(self.build_lib, "fcn_plugin", ".mim", name)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(name, target, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass=dict(build_py=BuildWithConfigs))
