"""Tests that have no labels, or do not load them."""

import shutil

from .case import Bad

TEST = "test config.py {checkpoint} --data-root data --work-dir work"
UNLABELLED = """
unlabelled = dict(type='ShapesDataset', data_root='data', ann_file='ImageSets/Segmentation/val.txt',
  data_prefix=dict(img_path='JPEGImages'), pipeline=[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')])
test_dataloader = dict(dataset=dict(unlabelled, _delete_=True))
"""
IMAGES_ALONE = (
    "test_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]))"
)
NO_LABELS = "the data set of test_dataloader has no labels"
NO_LOADER = "the pipeline of test_dataloader loads no labels, so there can be no figures: add dict(type='LoadLabels')"
NO_DIRECTORY = (
    "test_evaluator.format_only=True only writes predictions, but there is no directory for them: give --out DIR"
)

TABLE = [
    Bad(
        "figures",
        (NO_LABELS, "give --out DIR and --cfg-options test_evaluator.format_only=True"),
        config=UNLABELLED,
        command=TEST,
    ),
    Bad("figures-and-predictions", NO_LABELS, config=UNLABELLED, command=f"{TEST} --out out"),
    Bad("without-a-check", NO_LABELS, config=UNLABELLED, command=f"{TEST} --no-check"),
    Bad("augmented", NO_LABELS, config=UNLABELLED, command=f"{TEST} --tta"),
    Bad(
        "all-images-of-a-directory",
        NO_LABELS,
        config=UNLABELLED.replace("ImageSets/Segmentation/val.txt", ""),
        command=TEST,
    ),
    Bad(
        "one-of-several",
        NO_LABELS,
        config=UNLABELLED
        + "sets = [_base_.val_dataloader.dataset, unlabelled]\n"
        + "test_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=sets))",
        command=TEST,
    ),
    Bad(
        "several-metrics",
        (NO_LABELS, "--cfg-options test_evaluator.0.format_only=True"),
        config=UNLABELLED + "test_evaluator = [dict(type='FCNMetric')]",
        command=TEST,
    ),
    Bad("no-directory", NO_DIRECTORY, config=UNLABELLED, options="test_evaluator.format_only=True", command=TEST),
    Bad("no-directory-but-labels", NO_DIRECTORY, options="test_evaluator.format_only=True", command=TEST),
    Bad(
        "no-directory-of-the-second",
        NO_DIRECTORY.replace("test_evaluator", "test_evaluator.1"),
        config=UNLABELLED + "test_evaluator = [dict(type='FCNMetric', format_only=True, output_dir='out'),"
        " dict(type='IoUMetric', format_only=True)]",
        command=TEST,
    ),
    Bad("no-loader", NO_LOADER, config=IMAGES_ALONE, command=TEST),
    Bad(
        "no-loader-augmented",
        NO_LOADER,
        config="pack = [dict(type='PackSegInputs')]\ntta_pipeline = [dict(type='LoadImageFromFile'),"
        " dict(type='TestTimeAug', transforms=[pack])]",
        command=f"{TEST} --tta",
    ),
    Bad(
        "loader-behind-packing",
        NO_LOADER,
        config="test_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'),"
        " dict(type='PackSegInputs'), dict(type='LoadLabels')]))",
        command=TEST,
    ),
    Bad(
        "labels-are-gone",
        "test_dataloader needs data/SegmentationClass, which does not exist",
        prepare=lambda folder: shutil.rmtree(folder.data / "SegmentationClass"),
        command=TEST,
    ),
]
