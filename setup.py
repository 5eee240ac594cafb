"""Everything stands in pyproject.toml, but for the page on PyPI, where links of the README must be whole addresses."""

import os
import re
from pathlib import Path

from setuptools import setup

readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
if "GITHUB_REPOSITORY" in os.environ:  # OWNER/NAME: a workflow builds a release
    repository = f"https://github.com/{os.environ['GITHUB_REPOSITORY']}"
    commit = os.environ.get("GITHUB_SHA", "main")
    readme = re.sub(r"(!\[[^]]*\]\()(?!https?:)", rf"\1{repository}/raw/{commit}/", readme)
    readme = re.sub(r"(\]\()(?!https?:|#)", rf"\1{repository}/blob/{commit}/", readme)

setup(long_description=readme, long_description_content_type="text/markdown")
