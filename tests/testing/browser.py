"""A real browser without a window and without a network, to look at pages with."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: Asks the page itself, after it is loaded; the answer replaces the content of the page.
PROBE = """<script>
addEventListener("load", () => {
  let answer;
  try { answer = JSON.stringify((() => { %s })()) } catch (error) { answer = String(error) }
  document.body.replaceChildren(Object.assign(document.createElement("pre"), {id: "answer", textContent: answer}));
});
</script></body>"""


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


def ask(page: Path, copy: Path, body: str) -> str:
    """What a function with this body, run in a copy of the page, returns as JSON."""
    text = page.read_text(encoding="utf-8")
    assert text.count("default-src 'none'") == text.count("</body>") == 1
    text = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    copy.write_text(text.replace("</body>", PROBE % body), encoding="utf-8")
    (answer,) = re.findall(r'<pre id="answer">(.*?)</pre>', dom_of(copy), re.S)
    return answer.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u00a0").replace("&amp;", "&")
