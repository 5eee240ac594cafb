"""The wheel, installed away from the checkout, and what OpenMMLab's tools find in it."""

import inspect
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
from mmengine.utils import get_installed_path
from testing.utils import run, tiny_config

ROOT = Path(__file__).parents[1]
LEAVES = {path.name for path in (ROOT / "configs").glob("*.py")}
BUILD_ALL = """
import sys
from importlib.util import find_spec
from pathlib import Path
import fcn_plugin
from fcn_plugin.geometry.trunk import build_without_values
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
INHERIT = """
import subprocess
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
    """What a clone has of the files that packages are built from; links stay links."""
    for name in ("fcn_plugin", "configs", "tools", "docs"):
        shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    files = ("pyproject.toml", "MANIFEST.in", "model-index.yml", "constraints.txt", "README.md", "CHANGELOG.md")
    for name in (*files, "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, target)
    return target


def build_wheel(source: Path, out: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, source]
    subprocess.run(command, check=True, timeout=240)
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that the checkout stays clean."""
    return build_wheel(copy_checkout(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("dist"))


def make_environment(directory: Path, *install: object) -> Path:
    """Make a virtual environment with ``pip install`` of something; returns its interpreter."""
    venv.create(directory, symlinks=True)
    python = directory / "bin" / "python"
    site = next((directory / "lib").glob("python*/site-packages"))
    command = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-build-isolation"]
    # torch, the toolbox and setuptools come from this environment's packages, by path alone: no .pth of it is read
    (site / "toolbox.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    subprocess.run([*command, *install], check=True, env=clean_environment(python), timeout=240)
    return python


def clean_environment(python: Path) -> dict[str, str]:
    """Variables for a process of this interpreter: without what would make the checkout look installed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    clean["PATH"] = os.pathsep.join([str(python.parent), clean["PATH"]])
    return clean


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of a fresh environment in which the wheel is installed."""
    return make_environment(tmp_path_factory.mktemp("environment") / "venv", wheel)


@pytest.fixture(scope="module")
def package(python):
    """The installed package."""
    return next((python.parents[1] / "lib").glob("python*/site-packages")) / "fcn_plugin"


@pytest.fixture
def run_installed(python, tmp_path, monkeypatch):
    """Run the environment's interpreter in an empty directory, where every use of pip fails."""
    pip = tmp_path / "stub" / "pip"
    pip.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        (pip / name).write_text("raise SystemExit('pip was called')\n")
    for key in [key for key in os.environ if key.startswith("PYTHON")]:
        monkeypatch.delenv(key)
    empty = tmp_path / "empty"
    empty.mkdir()
    site = ROOT / "tests" / "subprocess_site"  # for a torchvision that does not fit torch
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])

    def run_installed(*arguments: object):
        environment = dict(PYTHONPATH=os.pathsep.join([str(pip.parent), str(site)]), PATH=path, OMP_NUM_THREADS=1)
        return run(python, *arguments, cwd=empty, timeout=240, **environment)

    run_installed.cwd = empty
    return run_installed


def test_every_config_builds_from_the_installed_wheel(run_installed):
    built = set(run_installed("-c", BUILD_ALL).check().stdout.split())
    assert built >= {Path(name).stem for name in LEAVES} and len(built) >= 14


def test_configs_of_others_inherit_from_the_installed_ones(run_installed):
    by_path = """str(__import__("fcn_plugin").config_dir() / "fcn8s_vgg16_voc.py")"""
    for name, base in (("by_scope", "'fcn_plugin::_base_/../fcn8s_vgg16_voc.py'"), ("by_path", by_path)):
        (run_installed.cwd / f"{name}.py").write_text(f"_base_ = {base}\nwork_dir = 'theirs'\n")
    part = "_base_ = 'fcn_plugin::_base_/models/fcn_vgg16.py'\nmodel = dict(decode_head=dict(num_classes=5))\n"
    (run_installed.cwd / "part.py").write_text(part)
    (run_installed.cwd / "shapes.py").write_text("_base_ = 'fcn_plugin::_base_/../fcn8s_vgg16_shapes.py'")
    assert run_installed("-c", INHERIT).check().stdout.split()[-1] == "inherited"


def test_installed_tools_train_a_config_of_others(run_installed, package, voc):
    config = tiny_config(run_installed.cwd, voc, name="theirs", train_cfg=dict(max_iters=2))
    base, rest = config.read_text().split("\n", 1)
    assert base.startswith("_base_")
    config.write_text(f"_base_ = 'fcn_plugin::_base_/../fcn32s_vgg16_voc.py'\n{rest}")
    help_text = run_installed(package / ".mim/tools/test.py", "--help").check().stdout
    assert "--show-dir" in help_text
    run_installed(package / ".mim/tools/train.py", "theirs.py", "--work-dir", "out", "--no-check").check()
    assert (run_installed.cwd / "out/iter_2.pth").is_file()


def test_mim_finds_configs_tools_and_the_model_index(package):
    """``mim train`` searches the package, links followed, and must find one file of a name."""
    found = [name for _, _, names in os.walk(package, followlinks=True) for name in names]
    assert len(LEAVES) >= 14 and all(found.count(name) == 1 for name in LEAVES)
    for name in ("tools/train.py", "tools/test.py", "model-index.yml"):
        assert (package / ".mim" / name).is_file()


def names_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        assert all((info.external_attr >> 16) & 0o100 for info in archive.infolist() if info.filename.endswith(".sh"))
        return set(archive.namelist())


def test_wheels_carry_all_files(wheel, tmp_path):
    names = names_of(wheel)
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


@pytest.fixture(scope="module")
def editable(tmp_path_factory):
    """A clone, and a function that runs code in an environment in which it is installed in editable mode."""
    directory = tmp_path_factory.mktemp("editable")
    checkout = copy_checkout(directory / "checkout")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *arguments], cwd=checkout, check=True, timeout=60)
    python = make_environment(directory / "venv", "-e", checkout)
    environment = clean_environment(python)
    environment["PYTHONPATH"] = str(ROOT / "tests" / "subprocess_site")

    def run_code(code: str) -> str:
        done = subprocess.run([python, "-c", code], cwd=directory, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    return checkout, run_code


def test_editable_installation_reads_the_checkout_and_leaves_it_clean(editable):
    checkout, run_code = editable
    assert run_code("import fcn_plugin; print(fcn_plugin.config_dir())") == str(checkout / "configs")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=checkout, check=True, capture_output=True, text=True)
    assert status.stdout == ""


@pytest.mark.skipif(
    "pkg_resources" in inspect.getsource(get_installed_path),
    reason="this MMEngine looks for editable installations in site-packages",
)
def test_configs_of_others_inherit_from_an_editable_installation(editable):
    checkout, run_code = editable
    code = "from mmengine import hub; print(hub.get_config('fcn_plugin::_base_/models/fcn_vgg16.py').filename)"
    found = Path(run_code(f"import fcn_plugin; {code}"))
    assert found.resolve() == checkout / "configs/_base_/models/fcn_vgg16.py"


def pins(name: str) -> dict[str, str]:
    """The versions of a constraints file, by distribution; without markers."""
    lines = (line.partition(";")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return dict(line.split("==") for line in lines if "==" in line)


def test_dependencies(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    required = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    plain = {entry for entry in required if "extra ==" not in entry}
    assert plain == {"torch>=2.6", "numpy"}  # a toolbox that is installed already is not overwritten
    stacks = {
        "toolbox": ("constraints.txt", {"onedl-mmengine==0.10.12", "onedl-mmcv==2.3.6", "onedl-mmsegmentation==1.4.2"}),
        "openmmlab": ("constraints-openmmlab.txt", {"mmengine==0.10.7", "mmcv==2.1.0", "mmsegmentation==1.2.2"}),
    }
    for extra, (constraints, toolbox) in stacks.items():
        entries = {entry.split(";")[0].strip() for entry in required if f'extra == "{extra}"' in entry}
        assert {entry for entry in entries if "==" in entry} == toolbox
        pinned = pins(constraints)
        assert pinned["torch"] == "2.13.0"
        assert {f"{entry.split('==')[0]}=={pinned[entry.split('==')[0]]}" for entry in toolbox} == toolbox


def test_both_stacks_pin_the_same_versions_of_the_rest():
    maintained, openmmlab = pins("constraints.txt"), pins("constraints-openmmlab.txt")
    shared = maintained.keys() & openmmlab.keys()
    differing = {name for name in shared if maintained[name] != openmmlab[name]}
    assert differing == {"numpy", "opencv-python"} and len(shared) > 40
    # mmpretrain and timm are tested on one stack; ml_dtypes is too new for the other's numpy
    others = {"onedl-mmcv", "onedl-mmengine", "onedl-mmpretrain", "onedl-mmsegmentation", "timm", "torchvision"}
    assert maintained.keys() - shared >= others | {"ml_dtypes"}
    assert shared >= {"onnx", "onnxruntime", "onnxscript", "tensorboard", "h5py", "protobuf"}


@pytest.mark.parametrize("missing", ["mmseg", "mmcv", "mmengine"])
def test_import_without_the_toolbox_says_what_to_install(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; import fcn_plugin"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    message = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert message.startswith("ImportError: fcn_plugin runs inside the MMSegmentation toolbox")
    assert f"of which {missing} is not installed" in message and 'pip install "fcn_plugin[toolbox]"' in message
