"""The wheel, installed away from the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD_ALL = """
import sys
from importlib.util import find_spec
from pathlib import Path
import fcn_plugin
from fcn_plugin.trunk import build_without_values
from mmengine.config import Config
from mmengine.registry import init_default_scope
assert Path(fcn_plugin.__file__).is_relative_to(sys.prefix), fcn_plugin.__file__
init_default_scope("mmseg")
for path in sorted(fcn_plugin.config_dir().glob("*.py")):
    if find_spec("mmpretrain") or "mmpretrain" not in path.read_text():
        build_without_values(Config.fromfile(path).model)
    print(path.stem)
assert (fcn_plugin.tools_dir() / "train.py").is_file()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that the checkout stays clean."""
    source = tmp_path_factory.mktemp("source")
    for name in ("fcn_plugin", "configs", "tools"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, source]
    subprocess.run(command, check=True, timeout=240)
    (file,) = out.glob("*.whl")
    return file


def test_every_config_builds_from_the_installed_wheel(wheel, tmp_path):
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    site = next((environment / "lib").glob("python*/site-packages"))
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel]
    # what PYTHONPATH shows, the checkout among it, would count as installed
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(install, check=True, env=clean, timeout=120)
    # torch and the toolbox come from this environment's packages, by path alone: no editable install, no .pth of it
    (site / "toolbox.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    clean["PYTHONPATH"] = str(ROOT / "tests" / "subprocess_site")  # for a torchvision that does not fit torch
    run = subprocess.run([python, "-c", BUILD_ALL], cwd=empty, env=clean, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    built = set(run.stdout.split())
    assert built >= {path.stem for path in (ROOT / "configs").glob("*.py")} and len(built) >= 14


def test_dependencies(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    required = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    plain = {entry for entry in required if "extra ==" not in entry}
    assert plain == {"torch>=2.6", "numpy"}  # a toolbox that is installed already is not overwritten
    toolbox = {entry.split(";")[0].strip() for entry in required if "toolbox" in entry}
    assert toolbox == {"onedl-mmengine==0.10.12", "onedl-mmcv==2.3.6", "onedl-mmsegmentation==1.4.2"}
    pins = dict(line.split("==", 1) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert pins["torch"] == "2.13.0"
    assert all(pins[entry.split("==")[0]] == entry.split("==")[1] for entry in toolbox)


@pytest.mark.parametrize("missing", ["mmseg", "mmcv", "mmengine"])
def test_import_without_the_toolbox_says_what_to_install(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; import fcn_plugin"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    message = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert message.startswith("ImportError: fcn_plugin runs inside the MMSegmentation toolbox")
    assert f"of which {missing} is not installed" in message and 'pip install "fcn_plugin[toolbox]"' in message
