"""Configs that cannot be read, or are not for the command they are given to."""

from .case import Bad, Folder


def write(name: str, text: str):
    def prepare(folder: Folder) -> None:
        (folder.path / name).write_text(text)

    return prepare


def a_directory(folder: Folder) -> None:
    (folder.path / "configs").mkdir()


TABLE = [
    Bad("missing", "there is no config gone.py", command="train gone.py"),
    Bad("missing-to-predict", "there is no config gone.py", command="predict data gone.py {checkpoint} --out out"),
    Bad("directory", "there is no config configs, but a directory", command="train configs", prepare=a_directory),
    Bad("no-python", "the config config.py is not valid Python: ", config="model = dict("),
    Bad(
        "not-installed",
        "the config config.py imports what is not installed",
        config="custom_imports = dict(imports=['nowhere'])",
    ),
    Bad(
        "import-in-the-text",
        ("the config config.py ", "nowhere"),
        config="import nowhere",
        command="browse config.py",
    ),
    Bad(
        "imports-as-a-list",
        "custom_imports must be dict(imports=[...]), got ['fcn_plugin']",
        prepare=write("config.py", "custom_imports = ['fcn_plugin']\nmodel = dict()\n"),
    ),
    Bad(
        "unknown-name",
        "the config config.py cannot be read, line 5 of config.py: NameError: name 'batch' is not defined",
        config="train_dataloader = dict(batch_size=batch)",
        command="export config.py {checkpoint} --out net.onnx",
    ),
    Bad(
        "division",
        "the config base.py cannot be read, line 2 of base.py: ZeroDivisionError: division by zero",
        prepare=write("base.py", "a = 3\nb = a / 0\n"),
        command="alignment base.py",
    ),
    Bad(
        "error-in-a-base",
        "the config own.py cannot be read, line 1 of base.py: KeyError: lr",
        prepare=lambda folder: [
            write("base.py", "rate = dict()['lr']\n")(folder),
            write("own.py", "_base_ = 'base.py'\n")(folder),
        ],
        command="train own.py",
    ),
    Bad(
        "base-missing",
        ("the config own.py cannot be read", "nowhere.py"),
        prepare=write("own.py", "_base_ = 'nowhere.py'\n"),
        command="test own.py {checkpoint}",
    ),
    Bad(
        "same-key-in-two-bases",
        ("the config own.py cannot be read", "Duplicate key is not allowed among bases"),
        prepare=lambda folder: [
            write("base.py", "train_cfg = dict(max_iters=3)\n")(folder),
            write("own.py", "_base_ = ['base.py', 'config.py']\n")(folder),
        ],
        command="train own.py",
    ),
    Bad(
        "merged-into-no-dict",
        ("the config own.py cannot be read: TypeError: ", "cannot inherit from base"),
        prepare=lambda folder: [
            write("base.py", "train_cfg = 3\n")(folder),
            write("own.py", "_base_ = 'base.py'\ntrain_cfg = dict(max_iters=3)\n")(folder),
        ],
        command="data-speed own.py",
    ),
    Bad(
        "text",
        "the config notes.txt cannot be read: OSError: Only py/yml/yaml/json type are supported now!",
        prepare=write("notes.txt", "model = 3"),
        command="compare notes.txt data --out out",
    ),
    Bad(
        "json",
        "the config config.json cannot be read: JSONDecodeError: ",
        prepare=write("config.json", "{model: 3}"),
        command="train config.json",
    ),
    Bad(
        "yaml",
        "the config config.yaml cannot be read: ",
        prepare=write("config.yaml", "a: [1, 2\nb: 3"),
        command="train config.yaml",
    ),
    Bad(
        "list",
        "the config config.json cannot be read: ",
        prepare=write("config.json", "[1, 2]"),
        command="train config.json",
    ),
    Bad(
        "binary",
        "the config config.py cannot be read: ",
        prepare=lambda folder: folder.config.write_bytes(bytes(range(128, 256))),
    ),
    Bad("environment-variable", "NO_SUCH_VARIABLE", config="data_root = '{{$NO_SUCH_VARIABLE:}}'"),
    Bad(
        "no-model",
        "own.py has no model",
        prepare=write("own.py", "train_cfg = dict(max_iters=3)\n"),
        command="train own.py",
    ),
    Bad(
        "no-model-to-test",
        "own.py has no model",
        prepare=write("own.py", "a = 3\n"),
        command="test own.py {checkpoint}",
    ),
    Bad(
        "no-model-to-predict",
        "own.py has no model",
        prepare=write("own.py", "a = 3\n"),
        command="predict data/JPEGImages own.py {checkpoint} --out out",
    ),
    Bad(
        "no-model-to-export",
        "own.py has no model",
        prepare=write("own.py", "a = 3\n"),
        command="export own.py {checkpoint} --out net.onnx",
    ),
    Bad(
        "no-model-to-measure",
        "the config has no model.backbone",
        prepare=write("own.py", "a = 3\n"),
        command="alignment own.py",
    ),
    Bad(
        "no-model-to-time",
        "own.py has no model",
        prepare=write("own.py", "a = 3\n"),
        command="patches own.py",
    ),
    Bad(
        "no-model-to-import-for",
        "own.py has no model",
        prepare=write("own.py", "a = 3\n"),
        command="import {checkpoint} out.pth --for own.py",
    ),
    Bad(
        "nothing-to-train",
        "an IterBasedTrainLoop needs train_cfg.max_iters",
        config="train_dataloader = None\ntrain_cfg = None",
    ),
    Bad(
        "nothing-to-test",
        "config.py has no test_evaluator, which a test needs",
        config="test_evaluator = None",
        command="test config.py {checkpoint} --data-root data --work-dir work",
    ),
    Bad(
        "nothing-to-browse",
        "the config has no val_dataloader",
        prepare=write("own.py", "a = 3\n"),
        command="browse own.py --split val --out out",
    ),
    Bad(
        "nothing-to-compare",
        "the config has no test_dataloader",
        prepare=write("own.py", "a = 3\n"),
        command="compare own.py data --split test --out out",
    ),
    Bad(
        "nothing-to-measure",
        "the config has no train_dataloader",
        prepare=write("own.py", "a = 3\n"),
        command="data-speed own.py",
    ),
    Bad(
        "runner",
        "there is no 'StagdRunner' among the toolbox's runners, did you mean 'StagedRunner'?",
        config="runner_type = 'StagdRunner'",
    ),
]
