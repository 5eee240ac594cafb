"""What a training was made of: its data, its weights, and the machine that it ran on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..checks.data import build_dataset
from ..utils.config import leaf_datasets
from ..weights.importing import file_checksums
from .run_log import CONFIG, RunLog, read_dumped_config

ENVIRONMENT = re.compile(r"^System environment:\n(.*?)^-{20,}$", re.M | re.S)
FACT = re.compile(r"^ {4}(\w[^:\n]*): (.+)$", re.M)
CHECKPOINT = re.compile(r"(iter|epoch)_(\d+)")
LONG = "PyTorch compiling details"


@dataclass(frozen=True)
class DataList:
    """One list of images.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        dataset: type of the data set.
        root: its root directory.
        name: the list, or the directory of images if there is no list.
        images: how many images, None if they are not here to be counted.
    """

    split: str
    dataset: str
    root: str
    name: str
    images: int | None


def data_lists(cfg: Config) -> list[DataList]:
    """The lists that a config trains, validates and tests on; a test list equal to the validation's is left out."""
    init_default_scope(cfg.get("default_scope") or "mmseg")
    found: list[DataList] = []
    for split in ("train", "val", "test"):
        for dataset in leaf_datasets(cfg.get(f"{split}_dataloader")):
            kind = dataset.type if isinstance(dataset.type, str) else dataset.type.__name__
            name = dataset.get("ann_file") or (dataset.get("data_prefix") or {}).get("img_path") or ""
            try:
                built = build_dataset(dataset, f"{split}_dataloader")
                images = len(built.data_list) or None if built else None
            except (ValueError, KeyError):
                images = None
            entry = DataList(split, kind, str(dataset.get("data_root") or ""), str(name), images)
            if split != "test" or replace(entry, split="val") not in found:
                found.append(entry)
    return found


def weights_facts(run: RunLog) -> dict[str, str]:
    """What a training started from, and the checkpoint of the most iterations (or epochs) in its work directory."""
    facts = {"Started from": ", ".join(start_of(run)) or "random weights"}
    files = [
        (int(found[2]), found[1], f) for f in run.work_dir.glob("*.pth") if (found := CHECKPOINT.fullmatch(f.stem))
    ]
    if not files:
        return {**facts, "Checkpoint": "none in the work directory"}
    number, unit, file = max(files)
    unit = {"iter": "iterations", "epoch": "epochs"}[unit]
    facts["Checkpoint"] = f"{file.name}, {file.stat().st_size:,} bytes, {number:,} {unit}"
    return {**facts, "SHA-256": file_checksums(file)["sha256"]}


def start_of(run: RunLog) -> list[str]:
    """The weights that a training started from: a checkpoint, or those of its parts; empty if from scratch."""
    cfg = read_dumped_config(run.sessions[0] / CONFIG)
    if cfg.get("load_from"):
        return [str(cfg.load_from)]
    parts = [(cfg.get("model") or {}).get(part) or {} for part in ("backbone", "neck")]
    sources = [(part.get("init_cfg") or {}).get("checkpoint") for part in parts]
    return list(dict.fromkeys(str(source) for source in sources if source))


def environment(run: RunLog) -> dict[str, str]:
    """What the log says of the machine and its software, and how long an iteration took; may be empty."""
    facts: dict[str, str] = {}
    for log in sorted(run.sessions[-1].glob("*.log")):
        if block := ENVIRONMENT.search(log.read_text(encoding="utf-8", errors="replace")):
            facts.update((name, value) for name, value in FACT.findall(block[1]) if name != LONG)
    times = [record["time"] for record in run.records if "loss" in record and "time" in record]
    if times:
        facts["Time per iteration"] = f"{np.median(times):.3f} s (median)"
    memory = [record["memory"] for record in run.records if "memory" in record]
    if memory:
        facts["Peak GPU memory"] = f"{max(memory)} MB"
    return facts
