"""The notebooks run as they are, with less to draw and to train."""

import json

import pytest
from mmengine.registry import DefaultScope
from testing.utils import ROOT
from yapf.yapflib import yapf_api

#: What takes the place of the cell with the tag ``parameters``.
PARAMETERS = {"first_steps": "PICTURES, ITERATIONS = 6, 1"}
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(yapf_api, "FormatCode", lambda code, **_: (code, False))  # takes seconds
    namespace = {"__name__": "__main__"}
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells), "clear the outputs before you commit"
    with DefaultScope.overwrite_default_scope("mmseg"):
        for cell in cells:
            source = "".join(cell["source"])
            parameters = "parameters" in cell["metadata"].get("tags", ())
            exec(compile(PARAMETERS[path.stem] if parameters else source, path.name, "exec"), namespace)
    assert list(namespace["pictures"]) == ["label", "FCN-32s", "FCN-16s", "FCN-8s"]
    assert all(one.shape == namespace["data"].image(0).shape[:2] for one in namespace["pictures"].values())
    assert (tmp_path / "predictions.png").is_file() and (tmp_path / "network.png").is_file()
    assert "(1, 21, 75, 101)" in capsys.readouterr().out
