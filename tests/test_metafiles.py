"""``model-index.yml`` and the metafiles that it names: what mim and the hub read, and figures that are in the docs."""

import re
from pathlib import Path

import pytest
import yaml
from testing.utils import shipped_config

from fcn_plugin import __version__

ROOT = Path(__file__).parents[1]
INDEX = yaml.safe_load((ROOT / "model-index.yml").read_text())
METAFILES = {name: yaml.safe_load((ROOT / name).read_text()) for name in INDEX["Import"]}
MODELS = {model["Name"]: model for content in METAFILES.values() for model in content["Models"]}
COLLECTIONS = {entry["Name"]: entry for content in METAFILES.values() for entry in content.get("Collections", [])}
LEAVES = sorted((ROOT / "configs").glob("*.py"))
RESULTS, WEIGHTS = ((ROOT / "docs" / name).read_text() for name in ("results.md", "weights.md"))


def table(text: str, start: str) -> tuple[list[str], list[list[str]]]:
    """The first table after a text: its header, and its rows without the marks of code and bold face."""
    lines = text[text.index(start) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([re.sub(r"[`*]", "", cell).strip() for cell in line.strip("|").split("|")])
    assert len(rows) > 2
    return rows[0], rows[2:]


def test_every_config_is_in_one_metafile():
    listed = [model["Config"] for content in METAFILES.values() for model in content["Models"]]
    assert sorted(listed) == [f"configs/{path.name}" for path in LEAVES] and len(listed) >= 14
    assert all(Path(model["Config"]).stem == name for name, model in MODELS.items())
    on_disk = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.y*ml")}
    assert set(METAFILES) == on_disk and len(INDEX["Import"]) == len(METAFILES)


def test_collections():
    assert {model["In Collection"] for model in MODELS.values()} == set(COLLECTIONS)
    for entry in COLLECTIONS.values():
        assert (ROOT / entry["README"]).is_file() and (ROOT / entry["Code"]["URL"]).is_file()
        assert entry["Code"]["Version"] == f"v{__version__}"
        assert entry["Paper"]["Title"] and entry["Paper"]["URL"].startswith("https://arxiv.org/abs/")
        assert entry["License"] and entry["Metadata"]["Architecture"]


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_metadata_is_that_of_the_config(path):
    cfg, meta = shipped_config(path), MODELS[path.stem]["Metadata"]
    assert meta["Batch Size"] == cfg.train_dataloader.batch_size
    assert meta["Iterations"] == cfg.train_cfg.max_iters
    train_list = re.search("train list: (.*?);", path.read_text())[1]
    assert meta["Training Data"] == {"shapes train (1,000)": "drawn shapes"}.get(train_list, train_list)
    assert meta["Architecture"][1] == re.match(r"fcn(\d+s)", path.stem).expand(r"FCN-\1")


def figures(key: str) -> dict[tuple[str, str], str]:
    """The mean IU by model and source of all results under a key, as strings, for 65.0 is not 65."""
    found = {}
    for name, model in MODELS.items():
        results = model.get(key, [])
        for result in results if isinstance(results, list) else [results]:
            assert result["Task"] == "Semantic Segmentation" and result["Dataset"]
            assert set(result["Metrics"]) == {"mIoU"} and isinstance(result["Metrics"]["mIoU"], float)
            found[name, result.get("Source", "")] = result["Metrics"]["mIoU"]
    assert found
    return found


def test_published_figures_are_those_of_the_docs():
    (_, *sources), rows = table(RESULTS, "## PASCAL VOC")
    expected = {
        (Path(config).stem, source): float(figure)
        for config, *row in rows
        for source, figure in zip(sources, row, strict=True)
        if figure
    }
    assert figures("Published Results") == expected and len(expected) >= 12


def test_our_figures_are_those_of_the_docs():
    expected = {}
    sections = {"## Drawn": "_vgg16_shapes", "## CamVid": "_vgg16_camvid", "## Padding=1": "-pad1_vgg16_camvid"}
    for section, suffix in sections.items():
        (_, *models), rows = table(RESULTS, section)
        (means,) = (row for name, *row in rows if name == "mIoU")
        for model, mean in zip(models, means, strict=True):
            if " on " not in model:  # a backbone without a config here
                expected[model.replace("FCN-", "fcn") + suffix, ""] = float(mean)
    assert figures("Results") == expected and len(expected) == 10


def test_weights_are_the_release_that_the_docs_name():
    header, rows = table(WEIGHTS, "## Testing a published network")
    (base,) = re.findall(r"\((http\S+)\)", header[0])
    expected = {Path(config).stem: (base + file, float(figure)) for file, config, figure in rows}
    published = figures("Published Results")
    found = {
        name: (model["Weights"], published[name, "reference release"])
        for name, model in MODELS.items()
        if "Weights" in model
    }
    assert found == expected and len(expected) == 5
    assert all(("Converted From" in model) == ("Weights" in model) for model in MODELS.values())
