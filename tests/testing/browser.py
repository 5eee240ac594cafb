"""A real browser without a window and without a network, to look at pages with."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str:
    """Path of Chromium or Chrome; skips the test if there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    return found


def dom_of(page: Path) -> str:
    """The document that the browser makes of a page, as HTML."""
    command = [find_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--no-first-run"]
    with tempfile.TemporaryDirectory() as profile:
        # no name is found: whatever is not in the file is missing
        options = [f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", page.as_uri()]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
