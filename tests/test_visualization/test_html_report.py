import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from testing.browser import dom_of
from testing.run_logs import ENVIRONMENT, train, write_session, write_stages
from testing.three_pictures import CLASSES, settings_for

from fcn_plugin.visualization.report import write_report

VOID = {"meta", "img", "br", "hr", "link", "input"}
RECORD = dict(
    split="val",
    step=60,
    metrics=dict(aAcc=90.0, mIoU=50.0, mAcc=60.125, fwIoU=None),
    classes=CLASSES,
    columns=dict(IoU=[91.456, 0.0, None, 100.0], Acc=[98.0, 1.0, None, 100.0]),
)


class Page(HTMLParser):
    """Checks that elements are nested and closed, and collects them and the texts that they hold themselves."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes)
        self.elements.append((tag, dict(attributes), []))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_data(self, data):
        if self.open:
            self.open[-1][2].append(data)

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def all(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]

    def texts(self, *tags):
        return ["".join(texts) for name, _, texts in self.elements if name in tags]

    def rows(self):
        """The texts of all rows of tables."""
        rows = []
        for name, _, texts in self.elements:
            if name == "tr":
                rows.append([])
            elif name in ("th", "td", "code") and rows:
                rows[-1].append("".join(texts))
        return [[cell for cell in row if cell] for row in rows]


@pytest.fixture
def work_dir(tmp_path, root):
    """Three stages, the last one interrupted once, with names that are no HTML and data at a path with &."""
    last = write_stages(tmp_path / "runs", tmp_path / "runs/fcn8s <i> & co")
    config = (last / "20260102_030405/vis_data/config.py").read_text()
    settings = {**settings_for(root), "train_cfg": dict(max_iters=60), "note": "</pre><script>alert(1)</script>"}
    settings["train_dataloader"] = settings["val_dataloader"]
    settings["load_from"] = str(last / "iter_30.pth")
    settings["earlier_stage"] = "fcn16s_x.py"
    assert "load_from = '/moved/fcn16s_x/iter_50.pth'" in config
    (last / "fcn8s_x.py").unlink()
    log = ENVIRONMENT.replace("seed: 7", "seed: <7> & http://example.org/x")
    session = write_session(last, "20260103_030405", [train(60, 2.25)], log=log, **settings)
    (session / "class_metrics.json").write_text(json.dumps(RECORD) + "\n")
    (last / "iter_60.pth").write_bytes(b"weights")
    return last


@pytest.fixture
def report(work_dir, root, tmp_path):
    out = tmp_path / "report.html"
    write_report(work_dir, out, {"<b>8s": root / "model", "perfect & right": root / "truth"}, rows=2)
    return out


def test_well_formed_and_accessible(report):
    page = Page(report.read_text(encoding="utf-8"))
    assert page.all("html") == [dict(lang="en")] and len(page.all("h1")) == 1 and len(page.all("title")) == 1
    images = page.all("img")
    assert len(images) == 4 and all(len(image["alt"]) > 30 for image in images)
    assert all(header.get("scope") in ("col", "row") for header in page.all("th")) and len(page.all("th")) > 25
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids) and {"val", "curves", "samples", "data", "weights", "config"} <= set(ids)
    assert len(page.all("section")) == len(page.all("h2")) == 7


def test_nothing_comes_from_elsewhere(report):
    text = report.read_text(encoding="utf-8")
    page = Page(text)
    assert not [tag for tag, *_ in page.elements if tag in ("script", "link", "iframe", "object", "base", "a")]
    addresses = [
        value
        for _, attributes, _ in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset")
    ]
    assert len(addresses) == 4 and all(address.startswith("data:image/") for address in addresses)
    assert not re.search(r"@import|url\(|javascript:", text)
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none';") and "http" not in policy
    svg, *pictures = [base64.b64decode(address.partition(",")[2]) for address in addresses]
    assert svg.startswith(b"<?xml") and not re.search(rb'href="(?!#)', svg)
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_everything_is_escaped(report):
    text = report.read_text(encoding="utf-8")
    assert "<script" not in text and "<i>" not in text and "a <b>" not in text and "<b>8s" not in text
    assert "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in text and "data &amp; labels" in text
    assert not re.search(r"&(?!(amp|lt|gt|#\d+|quot);)", text)


def test_without_predictions_and_validation(tmp_path):
    folder = tmp_path / "run"
    write_session(folder, "20260102_030405", [train(1, 0.5), train(2, 0.25)])
    write_report(folder, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No validation was logged." in text and "2 iterations logged;" in text and "random weights" in text
    assert "none in the work directory" in text
    page = Page(text)
    assert len(page.all("img")) == 1 and "ends with loss 0.375." in page.all("img")[0]["alt"]
    assert not [section for section in page.all("section") if section["id"] == "samples"]


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(rows=-1), ValueError, "number of rows must be at least 0, got -1"),
        (dict(work_dir="missing"), FileNotFoundError, "there is no work directory"),
        (dict(out="no/report.html"), FileNotFoundError, "there is no directory .*no for the report"),
        (dict(predictions={"x": "."}), FileNotFoundError, "no prediction for 3 of 3 images"),
        (dict(data_root="nowhere", predictions={"x": "."}), ValueError, "nowhere"),
    ],
)
def test_wrong_input(work_dir, tmp_path, change, error, message):
    change = {key: tmp_path / value if key in ("out", "work_dir") else value for key, value in change.items()}
    with pytest.raises(error, match=message):
        write_report(**{**dict(work_dir=work_dir, out=tmp_path / "report.html"), **change})
    assert not (tmp_path / "report.html").exists() and not list(tmp_path.glob(".*"))


def test_numbers_and_captions(report):
    page = Page(report.read_text(encoding="utf-8"))
    assert page.texts("title") == ["fcn8s <i> & co: training report"] and page.texts("h1") == ["fcn8s <i> & co"]
    assert page.texts("p")[0].startswith("60 iterations logged of 60, in 2 sessions; ")
    assert page.texts("dt", "dd") == ["mIoU", "50.00", "aAcc", "90.00", "mAcc", "60.12", "fwIoU", "–"]
    shares = [cell["style"] for cell in page.all("td") if cell.get("class") == "number share"]
    assert shares == [f"--value: {value}%" for value in ("91.46", "98.00", "0.00", "1.00", "100.00", "100.00")]
    data = str(report.parent / "data & labels")
    rows = page.rows()
    for expected in (
        ["class", "IoU", "Acc"],
        [CLASSES[0], "91.46", "98.00"],
        ['a <b> & "c"', "0.00", "1.00"],
        ["tree, bush", "–", "–"],
        [CLASSES[3], "100.00", "100.00"],
        ["fcn32s_x", "100", "0.3333", "30.00"],  # the median of the last three losses: 30 / 90, 40 / 30, 50 / 40
        ["fcn16s_x", "50", "1.333", "40.00"],
        ["fcn8s <i> & co", "60", "1.25", "–"],
        ["train", "BaseSegDataset", "val.txt", data, "3"],
        ["val", "BaseSegDataset", "val.txt", data, "3"],
        ["Started from", "/moved/fcn16s_x/iter_50.pth"],
        ["Checkpoint", "iter_60.pth, 7 bytes, 60 iterations"],
        ["SHA-256", hashlib.sha256(b"weights").hexdigest()],
        ["seed", "<7> & http://example.org/x"],
    ):
        assert rows.count(expected) == 1, expected
    assert page.texts("figcaption")[1:] == [
        "a", "b", "Confusion matrix of perfect & right, in percent of each true class",
    ]  # fmt: skip
    assert page.all("img")[1]["alt"] == "a: image, truth and predictions; mIoU: <b>8s 72.2, perfect & right 100.0"
    assert "</pre><script>alert(1)</script>" in page.texts("pre")[0]


def test_as_a_browser_shows_it(report):
    dom = dom_of(report)
    assert "<h1>fcn8s &lt;i&gt; &amp; co</h1>" in dom and dom.count("<img ") == 4
