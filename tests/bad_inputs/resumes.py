"""Trainings that would go on with something else than their checkpoint was trained with."""

from collections.abc import Callable

import torch

from fcn_plugin.weights.checkpoint import read_checkpoint

from .case import TRAIN, Bad, Folder

OTHER = "work/iter_1.pth was trained with other settings than it would go on with: "
ACCEPT = "or --accept-changes to go on with the new ones"
ANEW = "give another --work-dir to start anew"
RATE = "optim_wrapper.optimizer.lr=0.5"


def begun(change: Callable[[Folder, dict], None] = lambda folder, checkpoint: None) -> Callable[[Folder], None]:
    """A training of two iterations that was interrupted after the first; ``change`` is made after that."""

    def prepare(folder: Folder) -> None:
        (folder.path / "work").mkdir()
        checkpoint = read_checkpoint(folder.checkpoint)
        checkpoint["meta"]["iter"] = 1
        change(folder, checkpoint)
        torch.save(checkpoint, folder.path / "work/iter_1.pth")

    return prepare


def older(folder: Folder, checkpoint: dict) -> None:
    """As a version saved it that did not note the facts of the training."""
    del checkpoint["meta"]["run"]


def shorter_list(folder: Folder, checkpoint: dict) -> None:
    names = (folder.data / TRAIN).read_text().split()
    (folder.data / TRAIN).write_text("".join(f"{name}\n" for name in names[1:]))


def other_list(folder: Folder, checkpoint: dict) -> None:
    names = (folder.data / TRAIN).read_text().split()
    (folder.data / TRAIN).write_text("".join(f"{name}\n" for name in names[::-1]))


def classes_in_other_order(folder: Folder, checkpoint: dict) -> None:
    checkpoint["meta"]["run"]["classes"][1:3] = checkpoint["meta"]["run"]["classes"][2:0:-1]


def older_with_classes_in_other_order(folder: Folder, checkpoint: dict) -> None:
    older(folder, checkpoint)
    classes = list(checkpoint["meta"]["dataset_meta"]["classes"])
    checkpoint["meta"]["dataset_meta"]["classes"] = tuple(classes[::-1])


def without(*keys: str) -> Callable[[Folder, dict], None]:
    def change(folder: Folder, checkpoint: dict) -> None:
        for key in keys:
            del checkpoint[key]

    return change


def of_sgd(folder: Folder, checkpoint: dict) -> None:
    older(folder, checkpoint)
    for group in checkpoint["optimizer"]["param_groups"]:
        for key in ("betas", "eps", "amsgrad"):
            del group[key]
        group["momentum"] = 0.9


def averaged(folder: Folder, checkpoint: dict) -> None:
    checkpoint["meta"]["run"]["EMAHook"] = [dict(type="EMAHook")]


def row(
    name: str, says: str | tuple[str, ...], options: str = "", change: Callable | None = None, **more: object
) -> Bad:
    says = (says,) if isinstance(says, str) else says
    return Bad(name, (OTHER, *says), options, prepare=change or begun(), **more)


SGD = "optim_wrapper=dict(optimizer=dict(_delete_=True, type='SGD', lr=0.1))"
TABLE = [
    row("rate", ("optim_wrapper.optimizer.lr: 0.001 then, 0.5 now.", ACCEPT), RATE),
    row(
        "weight-decay",
        "optim_wrapper.optimizer.weight_decay: 0.0001 then, 0.5 now",
        "optim_wrapper.optimizer.weight_decay=0.5",
    ),
    row("longer", ("param_scheduler.0.end: 2 then, 4 now", ACCEPT), "train_cfg.max_iters=4"),
    row("schedule", "param_scheduler.0.power: 0.9 then, 2 now", "param_scheduler.0.power=2"),
    row("schedule-gone", "param_scheduler: [{'end': 2, ", config="param_scheduler = None"),
    row("batch-size", ("train_dataloader.batch_size: 4 then, 2 now", ACCEPT), "train_dataloader.batch_size=2"),
    row("accumulation", "optim_wrapper.accumulative_counts: 1 then, 2 now", "optim_wrapper.accumulative_counts=2"),
    row("clipping", "optim_wrapper.clip_grad: not set then, {'max_norm': 1} now", "optim_wrapper.clip_grad.max_norm=1"),
    row("seed", ("randomness.seed: 0 then, 7 now", ACCEPT), "randomness.seed=7"),
    row("sampler", "train_dataloader.sampler.shuffle: True then, False now", "train_dataloader.sampler.shuffle=False"),
    row(
        "precision",
        "precision: float32 then, float16 now",
        change=begun(lambda _, c: c["meta"]["run"].update(precision="float32")),
        options="optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=float16",
    ),
    row(
        "processes",
        ("processes: 8 then, 1 now", ACCEPT),
        change=begun(lambda _, c: c["meta"]["run"].update(processes=8)),
    ),
    row("fewer-pictures", "pictures: 8 (", change=begun(shorter_list)),
    row("other-pictures", ("pictures: 8 (", "then, 8 (", ACCEPT), change=begun(other_list)),
    row("transforms", "pipeline.0.2.prob: 0.5 then, 0.1 now", "train_dataloader.dataset.pipeline.2.prob=0.1"),
    row(
        "model",
        "model.decode_head.loss_decode.loss_weight: not set then, 2.0 now",
        "model.decode_head.loss_decode.loss_weight=2.",
    ),
    row(
        "several",
        ("batch_size: 4 then, 2 now; optim_wrapper.optimizer.lr: 0.001 then, 0.5 now.",),
        f"train_dataloader.batch_size=2 {RATE}",
    ),
    row(
        "order-of-classes",
        ("classes: ['background', ", "With the classes in another order", ANEW),
        change=begun(classes_in_other_order),
    ),
    row(
        "order-of-classes-accepted",
        ("With the classes in another order", ANEW),
        change=begun(classes_in_other_order),
        command="train config.py --data-root data --work-dir work --accept-changes",
    ),
    row(
        "optimizer",
        ("torch.optim.adamw.AdamW then, torch.optim.sgd.SGD now", "The state of one optimizer is of no use", ANEW),
        config=SGD,
    ),
    row(
        "optimizer-accepted",
        "The state of one optimizer is of no use to another",
        config=SGD,
        command="train config.py --data-root data --work-dir work --accept-changes",
    ),
    row("paramwise", ("optim_wrapper.paramwise_cfg: not set then", ANEW), "optim_wrapper.paramwise_cfg.bias_lr_mult=2"),
    row(
        "averaging-gone",
        ("EMAHook: [{'type': 'EMAHook'}] then, [] now", "Averaging cannot begin or end"),
        change=begun(averaged),
    ),
    row(
        "no-optimizer",
        ("state of the optimizer: not saved then, needed now", "save_optimizer=False"),
        change=begun(without("optimizer")),
    ),
    row("older-rate", "optim_wrapper.optimizer.lr: 0.001 then, 0.5 now", RATE, begun(older)),
    row("older-longer", "param_scheduler.0.end: 2 then, 4 now", "train_cfg.max_iters=4", begun(older)),
    row("older-seed", "randomness.seed: 0 then, 7 now", "randomness.seed=7", begun(older)),
    row("older-classes", "With the classes in another order", change=begun(older_with_classes_in_other_order)),
    row("older-optimizer", "optim_wrapper.optimizer.type: one with momentum then, AdamW now", change=begun(of_sgd)),
    Bad(
        "weights-alone",
        "work/iter_1.pth holds weights alone, so config cannot go on from it: start from it with --cfg-options",
        prepare=begun(without("message_hub", "optimizer", "param_schedulers")),
    ),
]
