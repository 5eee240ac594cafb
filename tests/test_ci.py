"""What a maintainer runs: the commands of the bug report, the hooks, and the set-up of the environment."""

import re
import sys

import pytest
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
