import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmseg.registry import MODELS

from fcn_plugin.utils.config import (
    apply_settings,
    changed_settings,
    class_of,
    leaf_datasets,
    override,
    read_config,
    set_data_root,
)

FILE = """
model = dict(backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='a.pth')), neck=None)
optimizer = dict(type='SGD', lr=0.1, momentum=0.9)
paramwise = {'a.bias': dict(lr_mult=2)}
hooks = [dict(type='A', n=1), dict(type='B')]
sizes = (1, 2)
work_dir = None
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "config.py").write_text(FILE)
    return str(tmp_path / "config.py")


@pytest.mark.parametrize(
    "options, changes",
    [
        ({}, []),
        ({"optimizer.lr": 0.1}, []),
        ({"optimizer.lr": 0.2}, [(("optimizer", "lr"), 0.2)]),
        ({"optimizer.momentum": None}, [(("optimizer", "momentum"), None)]),
        ({"optimizer": dict(_delete_=True, type="Adam")}, [(("optimizer",), dict(type="Adam"))]),
        ({"optimizer.betas": (0.9, 0.99)}, [(("optimizer", "betas"), (0.9, 0.99))]),
        ({"model.backbone.init_cfg": None}, [(("model", "backbone", "init_cfg"), None)]),
        ({"model": dict(neck=dict(type="FPN", _delete_=True))}, [(("model", "neck"), dict(type="FPN"))]),
        ({"hooks.1.n": 3}, [(("hooks", 1, "n"), 3)]),
        ({"hooks": [dict(type="A", n=1)]}, [(("hooks",), [dict(type="A", n=1)])]),
        ({"paramwise": {"a.bias": dict(lr_mult=1)}}, [(("paramwise", "a.bias", "lr_mult"), 1)]),
        ({"sizes": [1, 2]}, [(("sizes",), [1, 2])]),
        ({"precision": "float32"}, [(("precision",), "float32")]),
        ({"work_dir": "a", "launcher": "slurm", "resume": True, "load_from": "b", "runner_type": "Runner"}, []),
    ],
)
def test_settings_that_a_command_line_has_changed(options, changes, path):
    """They are found in the merged config, and give the same when applied to the file."""
    cfg = read_config(path, options)
    assert changed_settings(cfg) == changes
    again = read_config(path)
    apply_settings(again, changes)
    assert changed_settings(again) == changes
    for key, *_ in (place for place, _ in changes):
        assert again[key] == cfg[key]


def test_settings_of_another_config():
    cfg = Config(dict(hooks=[dict(type="A")], optimizer=dict(type="Adam", eps=1e-8)))
    apply_settings(cfg, [(("optimizer", "lr"), 0.2), (("model", "neck"), dict(type="FPN"))])
    assert cfg.optimizer == dict(type="Adam", eps=1e-8, lr=0.2) and cfg.model.neck.type == "FPN"
    with pytest.raises(ValueError, match="has no hooks.1.n to set to 3: set it in the file"):
        apply_settings(cfg, [(("hooks", 1, "n"), 3)])


def test_a_config_without_a_file_has_no_changes():
    assert changed_settings(Config(dict(a=1))) == []


def test_datasets_inside_wrappers():
    train = dict(type="RepeatDataset", dataset=dict(type="ConcatDataset", datasets=[dict(type="A"), dict(type="B")]))
    cfg = Config(dict(train_dataloader=dict(dataset=train), val_dataloader=None))
    assert [dataset.type for dataset in leaf_datasets(cfg.train_dataloader)] == ["A", "B"]
    assert list(leaf_datasets(cfg.val_dataloader)) == []
    set_data_root(cfg, "there")
    assert [dataset.data_root for dataset in leaf_datasets(cfg.train_dataloader)] == ["there", "there"]


def test_config_that_imports_what_is_not_installed(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("custom_imports = dict(imports=['no_such_package.models'], allow_failed_imports=False)")
    with pytest.raises(ValueError, match=r"config.py imports what is not installed \(.*no_such_package.*install it"):
        read_config(path)


class TestOptions:
    """Each has a place in the config, or one is named that is near."""

    @pytest.fixture
    def cfg(self):
        return Config(
            dict(model=dict(head=dict(type="A", x=1)), test_cfg=dict(mode="whole"), steps=[dict(type="B")], n=[1])
        )

    @pytest.mark.parametrize(
        "options",
        [
            {"model.head.anything": 3, "model.head.new": dict(type="C")},  # what A takes is A's matter
            {
                "test_cfg.mode_2": 1,
                "test_cfg.crop_size": (3, 3),
                "load_from": "a.pth",
                "compile": True,
                "custom_hooks": [],
            },
            {"steps.0.type": "C", "n": [2, 3], "model.head": None, "test_cfg": dict(mode="slide")},
            {"steps": [dict(type="D"), dict(type="E")]},
        ],
    )
    def test_good(self, cfg, options):
        override(cfg, options)
        for key, value in options.items():
            place = cfg
            for part in key.split("."):
                place = place[int(part)] if part.isdigit() else place[part]
            assert place == value or key in ("test_cfg", "model.head.new") and place.items() >= value.items()

    @pytest.mark.parametrize(
        "options, message",
        [
            ({"modell.head.x": 1}, "modell.head.x: the config has no modell, did you mean 'model'"),
            ({"own": 1}, "own: the config has no own$"),
            ({"test_cfg.mod": "slide"}, "test_cfg.mod: the config has no mod, did you mean 'mode'"),
            ({"model.head.x.y": 1}, "model.head.x is 1, which has no settings"),
            ({"steps.1.type": 1}, "steps is a list of 1"),
            ({"steps": [1]}, "it is a list of dicts"),
            ({"n.0": 5}, "n.0: n is a list of 1 that is set as a whole"),
            ({"test_cfg": "slide"}, "it is a dict in the config"),
        ],
    )
    def test_bad(self, cfg, options, message):
        before = cfg.to_dict()
        with pytest.raises(ValueError, match=message):
            override(cfg, options)
        assert cfg.to_dict() == before


def test_a_module_of_the_user_that_fails(tmp_path, monkeypatch):
    (tmp_path / "own_module_that_fails.py").write_text("import torch\ntorch.nothing_of_this_name\n")
    (tmp_path / "config.py").write_text("custom_imports = dict(imports=['own_module_that_fails'])\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="config.py cannot be read: AttributeError: module 'torch' has no attribute"):
        read_config(str(tmp_path / "config.py"))


MODULE = """
from mmseg.registry import MODELS

@MODELS.register_module(force=True)
class {name}:
    pass
"""


@pytest.fixture
def elsewhere(monkeypatch):
    """Forget, as another process would, what was imported and where it was looked for."""
    path, modules = list(sys.path), set(sys.modules)

    def forget() -> None:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.startswith("beside_"):
                del sys.modules[name]

    yield forget
    forget()


class TestModulesBesideTheConfig:
    def test_of_a_text(self, tmp_path, elsewhere):
        """Also of a config that it inherits from, in another folder; and of the copy that a run leaves."""
        for folder, name in (("base", "BesideBase"), ("own", "BesideOwn")):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / f"beside_{folder}.py").write_text(MODULE.format(name=name))
        base = "custom_imports = dict(imports=['beside_base'])\nmodel = dict(type='BesideBase')\n"
        (tmp_path / "base/base.py").write_text(base)
        text = "_base_ = '../base/base.py'\nmodel = dict(head=dict(type='beside_own.BesideOwn'))\n"
        (tmp_path / "own/own.py").write_text(text)
        cfg = read_config(str(tmp_path / "own/own.py"))
        assert cfg.import_dirs == [str(tmp_path / "own"), str(tmp_path / "base")] and changed_settings(cfg) == []
        (tmp_path / "copies").mkdir()
        cfg.dump(tmp_path / "copies/copy.py")
        elsewhere()
        again = read_config(str(tmp_path / "copies/copy.py"))
        assert again.to_dict() == cfg.to_dict()
        assert Path(sys.modules["beside_base"].__file__).parent == tmp_path / "base"
        assert class_of(again.model.head, MODELS).__name__ == "BesideOwn"

    def test_of_pure_python(self, tmp_path, elsewhere):
        (tmp_path / "beside_pure.py").write_text(MODULE.format(name="BesidePure"))
        text = "from beside_pure import BesidePure\n"
        (tmp_path / "own.py").write_text(f"{text}model = dict(type=BesidePure)\n")
        cfg = read_config(str(tmp_path / "own.py"))
        assert cfg.import_dirs == [str(tmp_path)] and class_of(cfg.model, MODELS).__name__ == "BesidePure"

    def test_what_is_imported_by_the_text_itself(self, tmp_path, elsewhere):
        (tmp_path / "beside_text.py").write_text("RATE = 0.25\n")
        (tmp_path / "own.py").write_text("from beside_text import RATE\noptimizer = dict(lr=RATE)\n")
        assert read_config(str(tmp_path / "own.py")).optimizer.lr == 0.25

    def test_installed_ones_come_first(self, tmp_path, elsewhere):
        (tmp_path / "json.py").write_text("raise ImportError('the wrong one')\n")
        (tmp_path / "own.py").write_text("custom_imports = dict(imports='json')\n")
        read_config(str(tmp_path / "own.py"))
