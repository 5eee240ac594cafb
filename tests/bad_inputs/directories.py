"""Places that cannot be written."""

from .case import Bad, Folder

TRAIN = "train config.py --data-root data"
TEST = "test config.py {checkpoint} --data-root data --work-dir work"


def file_in_the_way(folder: Folder) -> None:
    (folder.path / "file").write_text("a file")


def row(name: str, command: str, says: str | tuple[str, ...] = "file is no directory", **kwargs) -> Bad:
    return Bad(name, says, command=command, prepare=file_in_the_way, **kwargs)


TABLE = [
    row("train-below-a-file", f"{TRAIN} --work-dir file/work", "file/work cannot be written: "),
    row("train-a-file", f"{TRAIN} --work-dir file", "file cannot be written: "),
    row("train-no-file-system", f"{TRAIN} --work-dir /proc/work", "/proc/work cannot be written: "),
    row("train-long-name", f"{TRAIN} --work-dir {'w' * 300}", "File name too long: "),
    row(
        "train-other-checkpoints",
        f"{TRAIN} --work-dir work",
        "file/checkpoints cannot be written: ",
        options="default_hooks.checkpoint.out_dir=file/checkpoints",
    ),
    row(
        "train-pictures",
        f"{TRAIN} --work-dir work",
        "file/pictures cannot be written: ",
        options="visualizer.save_dir=file/pictures",
    ),
    row("train-resume", f"{TRAIN} --work-dir file/work --resume", "file/work cannot be written: "),
    row(
        "before-data-are-read",
        "train config.py --data-root nowhere --work-dir file/work",
        "file/work cannot be written: ",
    ),
    row("test-work-dir", "test config.py {checkpoint} --data-root data --work-dir file/w", "file/w cannot be wri"),
    row("test-out", f"{TEST} --out file/out", "file/out cannot be written: "),
    row("test-out-a-file", f"{TEST} --out file", "file cannot be written: "),
    row("test-show-dir", f"{TEST} --show-dir file/shown", "file/shown cannot be written: "),
    row("test-out-before-the-checkpoint", "test config.py gone.pth --work-dir work --out file", "file cannot be writ"),
    row("predict", "predict data/JPEGImages config.py {checkpoint} --out file/out", "file/out cannot be written: "),
    row("predict-a-file", "predict data/JPEGImages config.py {checkpoint} --out file", "file cannot be written: "),
    row("export", "export config.py {checkpoint} --out file/network.onnx", "there is no directory file to write"),
    row("export-torch", "export config.py {checkpoint} --out /proc/network.pt2", "/proc cannot be written: "),
    row("import", "import {checkpoint} file/weights.pth", "there is no directory file to write"),
    row("import-no-file-system", "import {checkpoint} /proc/weights.pth", "/proc cannot be written: "),
    row("report", "report {checkpoint}/.. --out file/report.html", "there is no directory file for the report"),
    row("plot", "plot {checkpoint}/.. --out file/curves.png", "file cannot be written: "),
    row("plot-no-file-system", "plot {checkpoint}/.. --out /proc/curves.png", "/proc cannot be written: "),
    row(
        "compare",
        "compare config.py --data-root data data/SegmentationClass --out file/out",
        "file/out cannot be written: ",
    ),
    row("browse", "browse config.py --data-root data --out file/out", "file/out cannot be written: "),
    row("browse-no-file-system", "browse config.py --data-root data --out /proc/out", "/proc/out cannot be written: "),
    row("alignment", "alignment config.py --image data/JPEGImages/val_00000.jpg --out file/a.png", "file cannot be w"),
    row("shapes", "prepare shapes file/out --train 2 --val 2", "file cannot be written: "),
    row("shapes-no-file-system", "prepare shapes /proc/out --train 2 --val 2", "/proc cannot be written: "),
    row("voc", "prepare voc file/out --archives data", "file/out cannot be written: "),
    row("camvid", "prepare camvid data file/out", "file/out cannot be written: "),
    row("patches", "patches --sizes 404 --json file/times.json", "there is no directory file to write"),
]
