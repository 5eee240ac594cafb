"""What a maintainer runs: the commands of the bug report, the hooks, and the set-up of the environment."""

import os
import re
import runpy
import sys

import pytest
import setuptools
import yaml
from testing.utils import ROOT, run


def test_hooks_run_the_pinned_ruff():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (ruff,) = (repo for repo in hooks if repo["repo"].endswith("/ruff-pre-commit"))
    assert f"ruff=={ruff['rev'].removeprefix('v')}" in (ROOT / "constraints.txt").read_text().splitlines()


@pytest.mark.slow
def test_the_commands_of_the_bug_report_tell_the_versions(tmp_path):
    text = (ROOT / ".github/ISSUE_TEMPLATE/bug_report.yml").read_text()
    asked = re.findall(r"^ +python (-[cm]) (.*)$", text, re.MULTILINE)
    assert [option for option, _ in asked] == ["-c", "-m"]
    printed = "".join(
        run(sys.executable, option, value.strip('"'), cwd=tmp_path).check().stdout for option, value in asked
    )
    for name in ("fcn_plugin", "Python:", "PyTorch:", "MMEngine:", "MMSegmentation:", "OpenCV:"):
        assert name in printed


def test_an_unknown_stack_is_refused(tmp_path):
    environment = dict(FCN_PLUGIN_STACK="other", FCN_PLUGIN_VENV=tmp_path / "venv")
    refused = run("bash", ROOT / "tools/setup_venv.sh", "toolbox", cwd=tmp_path, **environment)
    assert refused.returncode == 1 and not (tmp_path / "venv").exists()
    assert refused.stderr.strip() == "error: FCN_PLUGIN_STACK must be maintained or openmmlab, got 'other'"


@pytest.mark.parametrize("repository", [None, "owner/name"])
def test_links_of_the_readme_on_pypi(repository, monkeypatch):
    given = {}
    monkeypatch.setattr(setuptools, "setup", given.update)
    monkeypatch.setattr(os, "environ", dict(GITHUB_REPOSITORY=repository, GITHUB_SHA="abc") if repository else {})
    runpy.run_path(str(ROOT / "setup.py"))
    readme, page = (ROOT / "README.md").read_text(), given["long_description"]
    if repository is None:
        assert page == readme
        return
    assert "](https://github.com/owner/name/raw/abc/docs/images/strip.jpg)" in page
    assert "](https://github.com/owner/name/blob/abc/docs/own_backbone.md)" in page and "](#models)" in page
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert len(links) >= 20 and all(link.startswith(("http", "#")) for link in links)
