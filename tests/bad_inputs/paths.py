"""Data that are elsewhere: in another directory, or in another storage than the file system."""

from pathlib import Path

from .case import Bad, Folder

IMAGES = "train_dataloader.dataset.pipeline.0"
LABELS = "train_dataloader.dataset.pipeline.1"
TABLE = [
    Bad(
        "backend-of-images",
        ("LoadImageFromFile of train_dataloader.dataset", "there is no backend 'petral', there are http, lmdb, local"),
        options=f"{IMAGES}.backend_args.backend=petral",
    ),
    Bad(
        "backend-of-labels",
        ("LoadLabels of train_dataloader.dataset", "there is no backend 'petral'"),
        options=f"{LABELS}.backend_args.backend=petral",
    ),
    Bad(
        "older-way",
        ("LoadImageFromFile of train_dataloader.dataset", "Backend petral is not supported"),
        options=f"{IMAGES}.file_client_args.backend=petral",
    ),
    Bad(
        "petrel-not-installed",
        ("LoadImageFromFile of train_dataloader.dataset", "which needs a package: Please install petrel_client"),
        options=f"{IMAGES}.backend_args.backend=petrel",
    ),
    Bad(
        "argument-of-a-backend",
        ("LoadImageFromFile of train_dataloader.dataset reads from {'backend': 'http', 'speed': 3}: ", "speed"),
        options=(f"{IMAGES}.backend_args.backend=http", f"{IMAGES}.backend_args.speed=3"),
    ),
    Bad(
        "s3",
        ("reads from s3://bucket/images, which needs a package: Please install petrel_client"),
        options="train_dataloader.dataset.data_prefix.img_path=s3://bucket/images",
    ),
    Bad(
        "unknown-prefix",
        "ShapesDataset of train_dataloader.dataset reads from swift://bucket/images: there is no backend 'swift'",
        config="""
what = dict(data_root=None, ann_file='data/ImageSets/Segmentation/train.txt',
    data_prefix=dict(img_path='swift://bucket/images', seg_map_path='data/SegmentationClass'))
train_dataloader = dict(dataset=what)
val_dataloader = dict(dataset=what)
""",
        command="train config.py --work-dir work",
    ),
    Bad(
        "list-over-http",
        ("the list http://127.0.0.1:9/train.txt is on no local disk"),
        config="train_dataloader = dict(dataset=dict(_delete_=True, type='BaseSegDataset', pipeline=[], metainfo=dict("
        "classes=('a', 'b')), ann_file='http://127.0.0.1:9/train.txt'))",
    ),
    Bad(
        "no-list-over-http",
        "the files of http://127.0.0.1:9/images cannot be listed: give ann_file a list",
        options="train_dataloader.dataset.data_prefix.img_path=http://127.0.0.1:9/images",
        config="train_dataloader = dict(dataset=dict(type='BaseSegDataset', metainfo=dict(classes=('a', 'b')),"
        " ann_file=''))",
    ),
    Bad(
        "nobody-answers",
        ("images that cannot be read: 8", "http://127.0.0.1:9/images/train_00000.jpg: <urlopen error"),
        options="train_dataloader.dataset.data_prefix.img_path=http://127.0.0.1:9/images",
    ),
    Bad(
        "root",
        "train_dataloader needs it's 50% [a, b] {é}/JPEGImages, which does not exist. Run `fcn prepare shapes",
        options=tuple(f"{name}_dataloader.dataset.data_root=it's 50% [a, b] {{é}}" for name in ("train", "val")),
        command="train config.py --work-dir work",
    ),
    Bad(
        "root-is-a-file", "train_dataloader needs config.py/JPEGImages", command="train config.py --data-root config.py"
    ),
    Bad(
        "root-in-another-unicode-form",
        r"which does not exist (there is 'cafe\u0301')",
        prepare=lambda folder: folder.data.rename(folder.path / "cafe\u0301"),
        command="train config.py --data-root caf\u00e9",
    ),
    Bad(
        "directory-in-another-case",
        "needs data/JpegImages, which does not exist (there is data/JPEGImages)",
        options="train_dataloader.dataset.data_prefix.img_path=JpegImages",
    ),
    Bad(
        "images-elsewhere",
        "train_dataloader needs data/images, which does not exist",
        options="train_dataloader.dataset.data_prefix.img_path=images",
    ),
]


def _no_images(folder: Folder) -> None:
    for file in Path(folder.data, "JPEGImages").glob("train*"):
        file.unlink()


TABLE += [Bad("no-images", ("missing images: 8", "train_00000.jpg"), prepare=_no_images)]
