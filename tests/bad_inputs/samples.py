"""Training data that cannot be read as the config says, or that wrappers cannot wrap."""

from .case import Bad


def step(text: str, position: str = "-1") -> str:
    """Lines that put a step into the training pipeline, by default before the last one."""
    return (
        f"steps = _base_.train_dataloader.dataset.pipeline\nsteps.insert({position}, {text})\n"
        "train_dataloader = dict(dataset=dict(pipeline=steps))\ndel steps"
    )


def wrapped(text: str) -> str:
    """Lines that wrap the training data, which they know as ``inner``."""
    loader = f"train_dataloader = dict(dataset=dict(_delete_=True, {text}))"
    return f"inner = _base_.train_dataloader.dataset\n{loader}\ndel inner"


READ = "train_dataloader cannot read its sample "
BUILT = "train_dataloader cannot be built: "

TABLE = [
    Bad(
        "mosaic-of-one",
        (READ, "RandomMosaic ends with AssertionError"),
        config=step("dict(type='RandomMosaic', prob=1.)"),
    ),
    Bad(
        "packed-too-early",
        (READ, "RandomFlip ends with KeyError: 'img'"),
        config=step("dict(type='RandomFlip', prob=1., direction='horizontal')", "99"),
    ),
    Bad(
        "channels-of-mean",
        (READ, "Normalize ends with "),
        config=step("dict(type='Normalize', mean=[0., 0.], std=[1., 1.], to_rgb=False)"),
    ),
    Bad(
        "labels-are-needed",
        (READ, "RandomCrop ends with "),
        config=step("dict(type='RandomCrop', crop_size=(32, 32), cat_max_ratio=0.5)", "1"),
    ),
    Bad(
        "balanced-without-classes",
        (BUILT, "must implement `get_cat_ids` method"),
        config=wrapped("type='ClassBalancedDataset', oversample_thr=0.1, dataset=inner"),
    ),
    Bad(
        "mix-of-nothing",
        (BUILT, "pipeline must be a dict"),
        config=wrapped("type='MultiImageMixDataset', dataset=inner, pipeline='RandomMosaic'"),
    ),
    Bad(
        "repeat-without-times",
        (BUILT, "missing 1 required positional argument: 'times'"),
        config=wrapped("type='RepeatDataset', dataset=inner"),
    ),
    Bad(
        "repeat-of-a-name",
        "train_dataloader.dataset.dataset must be the settings of a data set, dict(type=...), got 'train.txt'",
        config=wrapped("type='RepeatDataset', times=2, dataset='train.txt'"),
    ),
    Bad(
        "concat-of-one",
        "train_dataloader.dataset.datasets must be a list",
        config=wrapped("type='ConcatDataset', datasets=inner"),
    ),
    Bad(
        "order-of-a-list",
        "train_dataloader.sampler: SeededInfiniteSampler has no setting 'order'; it takes dataset, seed, shuffle",
        options="train_dataloader.sampler.order=up",
    ),
    Bad(
        "batches-of-none",
        "there is no 'OrientationSampler' among the toolbox's data samplers, did you mean 'OrientationBatchSampler'?",
        options="train_dataloader.batch_sampler.type=OrientationSampler",
    ),
]
