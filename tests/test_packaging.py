"""The wheel, installed away from the checkout, and what OpenMMLab's tools find in it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from testing.utils import ROOT, run, skip_on_openmmlab, tiny_config

from fcn_plugin import __version__

pytestmark = pytest.mark.slow

INHERIT = """
import subprocess
import sys
from pathlib import Path
import fcn_plugin
from mmengine import hub
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.utils import install_package

def without_scopes(value):
    if isinstance(value, dict):
        return {key: without_scopes(child) for key, child in value.items() if key != "_scope_"}
    return [without_scopes(child) for child in value] if isinstance(value, list) else value

try:
    install_package("not_there")
except subprocess.CalledProcessError:
    pass  # an attempt to install anything shows
else:
    raise AssertionError("pip ran")
assert Path(fcn_plugin.__file__).is_relative_to(sys.prefix), fcn_plugin.__file__
assert (fcn_plugin.tools_dir() / "train.py").is_file()
ours = Config.fromfile(fcn_plugin.config_dir() / "fcn8s_vgg16_voc.py")
for name in ("by_scope.py", "by_path.py"):
    theirs = Config.fromfile(name)
    assert without_scopes(theirs.to_dict()) == {**ours.to_dict(), "work_dir": "theirs"}, name
assert without_scopes(hub.get_config("fcn_plugin::_base_/../fcn8s_vgg16_voc.py").to_dict()) == ours.to_dict()
part = Config.fromfile("part.py")
assert part.model.decode_head.num_classes == 5 and part.model.backbone.type == "FCNVGG"
# built by the hub, and without and with a default scope
shapes = Config.fromfile("shapes.py").model
assert DefaultScope.get_current_instance() is None
models = [hub.get_model("fcn_plugin::_base_/../fcn8s_vgg16_shapes.py"), MODELS.build(shapes)]
DefaultScope.get_instance("theirs", scope_name="mmengine")
models.append(MODELS.build(shapes))
for model in models:
    assert type(model.decode_head) is fcn_plugin.models.decode_heads.FCN8sHead
print("inherited")
"""


def copy_checkout(target: Path) -> Path:
    """What a clone has; links stay links."""
    for name in ("fcn_plugin", "fcn_plugin_cli", "configs", "tools", "docs", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    files = ("pyproject.toml", "MANIFEST.in", "model-index.yml", "constraints.txt", "README.md", "CHANGELOG.md")
    for name in (*files, "LICENSE", ".gitignore", *(path.name for path in ROOT.glob("*.py"))):
        shutil.copy(ROOT / name, target)
    return target


def build_wheel(source: Path, out: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, source]
    subprocess.run(command, check=True, timeout=240)
    (file,) = out.glob("*.whl")
    return file


class Environment:
    """A fresh virtual environment with ``pip install`` of something; every later use of its pip fails."""

    def __init__(self, directory: Path, *install: object) -> None:
        venv.create(directory / "venv", symlinks=True)
        self.python = directory / "venv/bin/python"
        self.site = next((directory / "venv/lib").glob("python*/site-packages"))
        command = [sys.executable, "-m", "pip", "--python", self.python, "install", "-q", "--no-deps"]
        # torch, the toolbox and setuptools come from this environment's packages, by path alone: no .pth of it is read
        (self.site / "toolbox.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        subprocess.run([*command, "--no-build-isolation", *install], check=True, env=environment, timeout=240)
        self.stub = directory / "stub"
        (self.stub / "pip").mkdir(parents=True)
        for name in ("__init__.py", "__main__.py"):
            (self.stub / "pip" / name).write_text("raise SystemExit('pip was called')\n")

    def run(self, *arguments: object, cwd: Path) -> str:
        """What its interpreter prints, without what would make the checkout look installed."""
        # with what a torchvision that does not fit torch needs
        search = os.pathsep.join(map(str, (self.stub, ROOT / "tests/subprocess_site")))
        path = os.pathsep.join([str(self.python.parent), os.environ["PATH"]])
        return run(self.python, *arguments, cwd=cwd, timeout=240, PYTHONPATH=search, PATH=path).check().stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy so that the checkout stays clean."""
    return build_wheel(copy_checkout(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Environment:
    """An environment in which the wheel is installed."""
    return Environment(tmp_path_factory.mktemp("environment"), wheel)


def test_configs_of_others_inherit_from_the_installed_ones(installed, tmp_path):
    by_path = """str(__import__("fcn_plugin").config_dir() / "fcn8s_vgg16_voc.py")"""
    for name, base in (("by_scope", "'fcn_plugin::_base_/../fcn8s_vgg16_voc.py'"), ("by_path", by_path)):
        (tmp_path / f"{name}.py").write_text(f"_base_ = {base}\nwork_dir = 'theirs'\n")
    part = "_base_ = 'fcn_plugin::_base_/models/fcn_vgg16.py'\nmodel = dict(decode_head=dict(num_classes=5))\n"
    (tmp_path / "part.py").write_text(part)
    (tmp_path / "shapes.py").write_text("_base_ = 'fcn_plugin::_base_/../fcn8s_vgg16_shapes.py'")
    assert installed.run("-c", INHERIT, cwd=tmp_path).split()[-1] == "inherited"


def test_installed_tools_train_a_config_of_others(installed, tmp_path, voc):
    config = tiny_config(tmp_path, voc, name="theirs", train_cfg=dict(max_iters=2))
    base, rest = config.read_text().split("\n", 1)
    assert base.startswith("_base_")
    config.write_text(f"_base_ = 'fcn_plugin::_base_/../fcn32s_vgg16_voc.py'\n{rest}")
    version = installed.run(installed.python.with_name("fcn"), "--version", cwd=tmp_path)
    assert version == f"fcn_plugin {__version__}\n"
    tools = installed.site / "fcn_plugin/.mim/tools"
    assert "--show-dir" in installed.run(tools / "test.py", "--help", cwd=tmp_path)
    installed.run(tools / "train.py", "theirs.py", "--work-dir", "out", "--no-check", cwd=tmp_path)
    assert (tmp_path / "out/iter_2.pth").is_file()


def test_mim_finds_one_file_of_each_name(installed):
    """``mim train`` searches the package, links followed."""
    found = [name for _, _, names in os.walk(installed.site / "fcn_plugin", followlinks=True) for name in names]
    leaves = [path.name for path in (ROOT / "configs").glob("*.py")]
    assert len(leaves) >= 14 and all(found.count(name) == 1 for name in leaves)


def names_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        assert all((info.external_attr >> 16) & 0o100 for info in archive.infolist() if info.filename.endswith(".sh"))
        return set(archive.namelist())


def test_what_the_wheel_carries(wheel, tmp_path):
    names = names_of(wheel)
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"fcn_plugin_cli", "fcn_plugin"}
    carried = {name.partition("/.mim/")[2] for name in names if "/.mim/" in name}
    expected = {"model-index.yml"} | {
        str(path.relative_to(ROOT))
        for folder in ("configs", "tools")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert carried == expected and len(carried) > 60
    # by way of a source distribution, the same
    source = copy_checkout(tmp_path / "source")
    code = f"from setuptools import build_meta; print(build_meta.build_sdist({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=source, check=True, timeout=240)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert (unpacked / "model-index.yml").read_bytes() == (ROOT / "model-index.yml").read_bytes()
    assert names_of(build_wheel(unpacked, tmp_path / "dist")) == names


def test_editable_installation_reads_the_checkout_and_leaves_it_clean(tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *arguments], cwd=checkout, check=True, timeout=60)
    environment = Environment(tmp_path, "-e", checkout)
    code = "import fcn_plugin; print(fcn_plugin.config_dir())"
    assert environment.run("-c", code, cwd=tmp_path).split()[-1] == str(checkout / "configs")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=checkout, check=True, capture_output=True, text=True)
    assert status.stdout == ""
    skip_on_openmmlab("a hub that finds editable installations")
    code = "from mmengine import hub; print(hub.get_config('fcn_plugin::_base_/models/fcn_vgg16.py').filename)"
    found = Path(environment.run("-c", f"import fcn_plugin; {code}", cwd=tmp_path).split()[-1])
    assert found.resolve() == checkout / "configs/_base_/models/fcn_vgg16.py"


@pytest.mark.parametrize("missing", ["mmseg", "mmcv", "mmengine"])
def test_import_without_the_toolbox_says_what_to_install(missing, tmp_path):
    code = f"import sys; sys.modules[{missing!r}] = None; import fcn_plugin"
    outcome = run(sys.executable, "-c", code, cwd=tmp_path)
    message = outcome.stderr.strip().splitlines()[-1]
    assert outcome.returncode == 1
    assert message.startswith("ImportError: fcn_plugin runs inside the MMSegmentation toolbox")
    assert f"of which {missing} is not installed" in message and 'pip install "fcn_plugin[toolbox]"' in message
