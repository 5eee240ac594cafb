"""The wheel, installed away from the checkout, and what OpenMMLab's tools find in it."""

import json
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
assert without_scopes(hub.get_config("fcn_plugin::fcn/fcn8s_vgg16_voc.py").to_dict()) == ours.to_dict()
pretrained = hub.get_config("fcn_plugin::fcn/fcn8s_vgg16_sbd.py", pretrained=True)
assert pretrained.model_path == "http://dl.caffe.berkeleyvision.org/fcn8s-heavy-pascal.caffemodel"
part = Config.fromfile("part.py")
assert part.model.decode_head.num_classes == 5 and part.model.backbone.type == "FCNVGG"
# built by the hub, and without and with a default scope
shapes = Config.fromfile("shapes.py").model
assert DefaultScope.get_current_instance() is None
models = [hub.get_model("fcn_plugin::fcn/fcn8s_vgg16_shapes.py"), MODELS.build(shapes)]
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
    for name, base in (("by_scope", "'fcn_plugin::fcn/fcn8s_vgg16_voc.py'"), ("by_path", by_path)):
        (tmp_path / f"{name}.py").write_text(f"_base_ = {base}\nwork_dir = 'theirs'\n")
    part = "_base_ = 'fcn_plugin::_base_/models/fcn_vgg16.py'\nmodel = dict(decode_head=dict(num_classes=5))\n"
    (tmp_path / "part.py").write_text(part)
    (tmp_path / "shapes.py").write_text("_base_ = 'fcn_plugin::fcn/fcn8s_vgg16_shapes.py'")
    assert installed.run("-c", INHERIT, cwd=tmp_path).split()[-1] == "inherited"


def test_installed_tools_train_a_config_of_others(installed, tmp_path, voc):
    config = tiny_config(tmp_path, voc, name="theirs", train_cfg=dict(max_iters=2))
    base, rest = config.read_text().split("\n", 1)
    assert base.startswith("_base_")
    config.write_text(f"_base_ = 'fcn_plugin::fcn/fcn32s_vgg16_voc.py'\n{rest}")
    version = installed.run(installed.python.with_name("fcn"), "--version", cwd=tmp_path)
    assert version == f"fcn_plugin {__version__}\n"
    tools = installed.site / "fcn_plugin/.mim/tools"
    assert "--show-dir" in installed.run(tools / "test.py", "--help", cwd=tmp_path)
    installed.run(tools / "train.py", "theirs.py", "--work-dir", "out", "--no-check", cwd=tmp_path)
    assert (tmp_path / "out/iter_2.pth").is_file()


def stand_in(name: str, version: str, folder: Path, tag: str = "") -> None:
    """Metadata of a distribution without contents: installed in a folder or, with a tag, a wheel in it."""
    info = f"{name.replace('-', '_')}-{version}"
    files = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "RECORD": ""}
    if not tag:
        (folder / f"{info}.dist-info").mkdir()
        for file, text in files.items():
            (folder / f"{info}.dist-info" / file).write_text(text)
        return
    files["WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
    with zipfile.ZipFile(folder / f"{info}-{tag}.whl", "w") as archive:
        for file, text in files.items():
            archive.writestr(f"{info}.dist-info/{file}", text)


NEWEST = {"torch": "2.99.0", "numpy": "2.99.0", "onnx": "1.99.0"}
OPENMMLAB = {
    "torch": "2.1.2+cu121",
    "numpy": "1.26.4",
    "mmengine": "0.10.7",
    "mmcv": "2.1.0",
    "mmsegmentation": "1.2.2",
}
MAINTAINED = {"torch": "2.13.0+cpu", "numpy": "2.4.6", "onedl-mmcv": "2.3.6", "onedl-mmsegmentation": "1.4.2"}


@pytest.mark.parametrize("has", [OPENMMLAB, MAINTAINED, {}], ids=["openmmlab", "maintained", "nothing"])
def test_installing_changes_no_version(has, wheel, tmp_path):
    """Newer versions lie ready, and are taken only where there is none."""
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    for name, version in has.items():
        stand_in(name, version, site)
    for name, version in NEWEST.items():
        stand_in(name, version, tmp_path, tag="py3-none-any")
    command = [sys.executable, "-m", "pip", "--python", tmp_path / "venv/bin/python", "install", "-q", "--dry-run"]
    options = ["--no-index", "--find-links", tmp_path, "--report", tmp_path / "report.json"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" and key[:4] != "PIP_"}
    environment["PIP_CONFIG_FILE"] = os.devnull
    subprocess.run([*command, *options, wheel], check=True, env=environment, timeout=240)
    found = {one["metadata"]["name"] for one in json.loads((tmp_path / "report.json").read_text())["install"]}
    assert found == {"fcn_plugin"} | ({"torch", "numpy"} - has.keys())


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
    expected = {"model-index.yml", *(f"tools/{path.name}" for path in (ROOT / "tools").iterdir() if path.is_file())}
    bases = {path.relative_to(ROOT / "configs").as_posix() for path in (ROOT / "configs/_base_").rglob("*.py")}
    expected |= {f"configs/{folder}{name}" for name in bases for folder in ("", "fcn/")}
    expected |= {f"configs/fcn/{path.name}" for path in (ROOT / "configs").glob("*.py")}
    expected |= {f"configs/metafiles/{path.name}" for path in (ROOT / "configs/metafiles").iterdir()}
    assert carried == expected and len(carried) > 60
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "fcn_plugin").rglob("*.jinja")}
    assert templates and templates <= names
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


#: Imports the package where a module of the toolbox fails, for each module, and prints what is said.
BROKEN = """
import json, sys

class Finder:
    def find_spec(self, name, *_):
        if name == broken:
            raise error

def missing(name):
    return ModuleNotFoundError(f"No module named {name!r}", name=name)

cases = [(name, missing(name)) for name in ("mmengine", "mmcv", "mmseg")] + [
    ("mmseg.models", ImportError("undefined symbol: _ZN3c10", name="mmcv._ext")),
    ("mmseg.models", ImportError("cannot import name 'x'", name="mmcv.ops")),
    ("mmseg.models", RuntimeError("operator torchvision::nms does not exist")),
    ("mmseg.models", RuntimeError("no such thing")),
]
sys.meta_path.insert(0, Finder())
said = []
for broken, error in cases:
    try:
        import fcn_plugin
    except Exception as caught:
        said.append([type(caught).__name__, str(caught)])
print(json.dumps(said))
"""


def test_import_beside_a_broken_toolbox(tmp_path):
    """Parts that are missing, an mmcv without its operators (mmcv-lite) or of another torch, such a torchvision."""
    *missing, operators, other, torchvision, last = json.loads(
        run(sys.executable, "-c", BROKEN, cwd=tmp_path).check().stdout
    )
    for name, (kind, text) in zip(("mmengine", "mmcv", "mmseg"), missing, strict=True):
        assert kind == "ImportError" and f"the MMSegmentation toolbox, of which {name} is not installed" in text
        assert 'pip install "fcn_plugin[toolbox]"' in text
    assert operators[1].startswith("MMSegmentation needs mmcv's compiled operators, which cannot be loaded (undefined")
    assert "Run `pip uninstall mmcv mmcv-lite`" in operators[1]
    assert torchvision[0] == "ImportError" and torchvision[1].startswith("torchvision, which the toolbox imports, does")
    assert other == ["ImportError", "cannot import name 'x'"] and last == ["RuntimeError", "no such thing"]
