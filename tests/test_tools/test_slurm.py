"""tools/slurm_train.sh, with a stand-in for Slurm's own command."""

import json
import sys

import pytest
from testing.utils import ROOT, run


@pytest.fixture
def srun(tmp_path):
    """A directory with an ``srun`` that prints its arguments."""
    command = tmp_path / "bin" / "srun"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    command.chmod(0o755)
    return command.parent


def test_slurm_gets_the_job_and_the_tool_its_options(srun, tmp_path):
    settings = dict(GPUS=16, GPUS_PER_NODE=8, CPUS_PER_TASK=3, SRUN_ARGS="--time=10 --qos=low")
    script = ROOT / "tools/slurm_train.sh"
    shell = f'PATH={srun}:$PATH exec bash {script} gpus "my job" config.py --work-dir "a b"'
    arguments = json.loads(run("bash", "-c", shell, cwd=tmp_path, **settings).check().stdout)
    start = arguments.index("python")
    assert set(arguments[:start]) == {
        "--partition=gpus",
        "--job-name=my job",
        "--ntasks=16",
        "--ntasks-per-node=8",
        "--gres=gpu:8",
        "--cpus-per-task=3",
        "--kill-on-bad-exit=1",
        "--time=10",
        "--qos=low",
    }
    tool = str(ROOT / "tools/train.py")
    assert arguments[start:] == ["python", "-u", tool, "config.py", "--work-dir", "a b", "--launcher", "slurm"]
