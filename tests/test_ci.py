"""The workflow and the templates of the repository run what the README says."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from testing.utils import run

ROOT = Path(__file__).parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
JOBS = WORKFLOW["jobs"]
README = (ROOT / "README.md").read_text()


def commands(job: dict) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_workflow_runs_the_commands_of_the_readme():
    documented = set(re.findall(r"^    (bash tools/run_\w+\.sh)$", README, re.MULTILINE))
    assert documented == {"bash tools/run_demo.sh", "bash tools/run_tests.sh"}
    assert set(commands(JOBS["tests"])) == documented
    assert commands(JOBS["tests-openmmlab"]) == ["FCN_PLUGIN_STACK=openmmlab bash tools/run_tests.sh"]
    found = [command for job in JOBS.values() for command in commands(job)]
    assert len(JOBS) == 2 and len(found) == 3
    for command in found:
        assert (ROOT / re.search(r"tools/\w+\.sh", command)[0]).is_file()


def test_the_workflow_tests_the_supported_pythons_without_cuda():
    assert JOBS["tests"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12"]
    assert 'requires-python = ">=3.10"' in (ROOT / "pyproject.toml").read_text()
    assert WORKFLOW["env"] == {"PIP_EXTRA_INDEX_URL": "https://download.pytorch.org/whl/cpu"}
    assert "PIP_EXTRA_INDEX_URL" in README


def test_the_workflow_is_modest():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is True
    for job in JOBS.values():
        assert job["timeout-minutes"] <= 90 and "permissions" not in job
        checkout, python, *_ = job["steps"]
        assert checkout["uses"].startswith("actions/checkout@") and checkout["with"] == {"persist-credentials": False}
        assert python["uses"].startswith("actions/setup-python@") and python["with"]["cache"] == "pip"
        patterns = python["with"]["cache-dependency-path"].split()
        assert len(patterns) == 2 and all(list(ROOT.glob(pattern)) for pattern in patterns)


def test_hooks_run_the_pinned_ruff():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (ruff,) = (repo for repo in hooks if repo["repo"].endswith("/ruff-pre-commit"))
    assert f"ruff=={ruff['rev'].removeprefix('v')}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert [hook["id"] for hook in ruff["hooks"]] == ["ruff-check", "ruff-format"]
    assert all(repo["hooks"] for repo in hooks) and len(hooks) == 2


@pytest.mark.parametrize("name", ["bug_report", "feature_request"])
def test_forms_ask_for_something(name):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert {"name", "description", "body"} <= set(form)
    fields = [field["id"] for field in form["body"]]
    assert len(fields) == len(set(fields)) >= 3
    assert any(field.get("validations", {}).get("required") for field in form["body"])


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
