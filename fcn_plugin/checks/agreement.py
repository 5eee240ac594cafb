"""That model, data sets and evaluators mean the same by an index: which one is ignored, and which classes there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mmcv.transforms import Pad
from mmseg.datasets import BaseSegDataset
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import CrossEntropyLoss, LovaszLoss, OhemCrossEntropy, TverskyLoss
from torch import nn

from ..models.heads import heads_of
from ..models.losses import PixelCrossEntropyLoss
from ..models.losses.of_head import losses_of
from ..models.losses.trial import check_losses
from .parts import TRAINING, Part, build_steps
from .report import Report

#: Names under which components keep the ignored index, and the value of labels where there is no picture.
NAMES = ("ignore_index", "ignore_label", "seg_pad_val")


def check_ignored(
    model: nn.Module, datasets: Mapping[Part, BaseSegDataset], evaluators: Mapping[str, Sequence[object]]
) -> None:
    """Check that all that leave out an index of the labels, or fill up labels with it, mean the same one.

    Args:
        model (nn.Module): a built segmentor.
        datasets (Mapping[Part, BaseSegDataset]): the data sets of a run.
        evaluators (Mapping[str, Sequence[object]]): by the names of their settings, their metrics.

    Raises:
        ValueError: listing which index is whose; or if it is the index of a class.
    """
    holders: dict[int, list[str]] = {}
    for holder, index in _ignored(model, datasets, evaluators):
        if holder not in (listed := holders.setdefault(index, [])):
            listed.append(holder)
    if len(holders) > 1:
        listed = "; ".join(f"{index} is that of {', '.join(names)}" for index, names in holders.items())
        raise ValueError(
            f"the ignored index differs: {listed}. Set all of them to the one that the labels have where pixels are"
            " ignored, or to 255 if there is none"
        )
    for index in holders:
        for part, dataset in datasets.items():
            classes = dataset.metainfo["classes"]
            if 0 <= index < len(classes):
                raise ValueError(
                    f"the ignored index {index} is the index of a class of {part.name}, {classes[index]!r}, which would"
                    f" neither be trained nor count in the figures: set {', '.join(holders[index])} to an index that no"
                    f" class has, such as {255 if len(classes) <= 255 else len(classes)}, or move the classes down with"
                    " reduce_zero_label=True if index 0 is to be ignored"
                )


def _ignored(
    model: nn.Module, datasets: Mapping[Part, BaseSegDataset], evaluators: Mapping[str, Sequence[object]]
) -> Iterator[tuple[str, int]]:
    """All that have an ignored index: where it is set, and the index."""
    for name, head in heads_of(model).items():
        yield from _of(head, f"model.{name}")
        for loss in losses_of(head):
            for module in loss.modules():
                yield from _of(module, f"{type(module).__name__} of model.{name}")
    yield from _of(getattr(model, "data_preprocessor", None), "model.data_preprocessor")
    for part, dataset in datasets.items():
        yield from _of(dataset, part.name)
        if dataset.reduce_zero_label:
            yield f"reduce_zero_label of {part.name}", 255
        if 255 in (dataset.label_map or {}).values():
            yield f"the classes left out in metainfo of {part.name}", 255
        for step in build_steps(part):
            yield from _of(step, f"{type(step).__name__} of {part.name}")
            fill = getattr(step, "seg_fill_in", None)  # of RandomCutOut, which may be a class
            if isinstance(fill, int) and not 0 <= fill < len(dataset.metainfo["classes"]):
                yield f"seg_fill_in of {type(step).__name__} of {part.name}", fill
            if isinstance(step, Pad):
                yield f"pad_val['seg'] of Pad of {part.name}", step.pad_val.get("seg", 255)
    for name, metrics in evaluators.items():
        for metric in metrics:
            yield from _of(metric, name)


def _of(component: object, where: str) -> Iterator[tuple[str, int]]:
    for name in NAMES:
        index = getattr(component, name, None)
        if isinstance(index, int) and not isinstance(index, bool):
            yield (f"{where}.{name}" if " " not in where else f"{name} of {where}"), index


def check_scores(model: nn.Module, report: Report) -> None:
    """Check that each head of a segmentor tells at least two classes apart, by a loss that can train it.

    A warning tells of losses that train it on ignored pixels, too.

    Raises:
        ValueError: naming the head, and what to set.
    """
    for name, head in heads_of(model).items():
        if not isinstance(head, BaseDecodeHead) or not hasattr(head, "out_channels"):  # K-Net's holds others
            continue
        two = f"model.{name}.num_classes=2"
        sigmoid = f"model.{name}.loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True)"
        if head.num_classes == 1:
            raise ValueError(
                f"model.{name}.num_classes=1 leaves nothing to tell apart, and a softmax over one score has a loss of"
                f" 0: name the background as a class of the data set as well, and set {two}, or {two},"
                f" model.{name}.out_channels=1 and {sigmoid}"
            )
        for loss in losses_of(head):
            if head.out_channels == 1 and _is_softmax(loss):
                raise ValueError(
                    f"model.{name}.out_channels=1 has one score a pixel, of which {type(loss).__name__} takes a"
                    f" softmax, which is always 1: set {sigmoid}, or leave out_channels out"
                )
        for loss in check_losses(head, trains=True):
            report.warn(
                f"{loss} of model.{name} also counts pixels that are ignored ({head.ignore_index}), which it teaches to"
                " be no class: take another one if labels have many of them (docs/own_head.md)"
            )


def _is_softmax(loss: nn.Module) -> bool:
    if isinstance(loss, CrossEntropyLoss):
        return not (loss.use_sigmoid or loss.use_mask)
    if isinstance(loss, LovaszLoss):
        return loss.cls_criterion.__name__ == "lovasz_softmax"
    return isinstance(loss, (PixelCrossEntropyLoss, OhemCrossEntropy, TverskyLoss))


def check_numbers(model: nn.Module, datasets: Mapping[Part, BaseSegDataset], report: Report) -> None:
    """Check that each head scores the classes of the labels it is trained on; warn of scores for further classes.

    Raises:
        ValueError: naming the heads, and their classes and those of the data set.
    """
    wrong, more = [], []
    for part, dataset in datasets.items():
        classes = len(dataset.metainfo["classes"])
        for name, head in heads_of(model).items():
            scores = getattr(head, "num_classes", None)
            if not isinstance(scores, int) or scores == classes:
                continue
            text = (
                f"{name}.num_classes is {scores}, but {type(dataset).__name__} of {part.loader} has {classes} classes"
            )
            (wrong if scores < classes and part.loader == TRAINING else more).append(text)
    if wrong:
        heads = dict.fromkeys(text.partition(" ")[0] for text in wrong)
        raise ValueError("; ".join(dict.fromkeys(wrong)) + f": set {' and '.join(f'model.{one}' for one in heads)}")
    for text in more:
        report.warn(text)


def check_order(datasets: Mapping[Part, BaseSegDataset], report: Report) -> None:
    """Check that an index is the same class in all data sets of a run.

    Raises:
        ValueError: naming the first class that has another index elsewhere.
    """
    if not datasets:
        return
    (first, dataset), *others = datasets.items()
    classes = [str(name) for name in dataset.metainfo["classes"]]
    for part, other in others:
        names = [str(name) for name in other.metainfo["classes"]]
        differing = [index for index, (one, two) in enumerate(zip(classes, names)) if one != two]
        if not differing:
            continue
        index = differing[0]
        text = f"index {index} is {classes[index]!r} in {first.name}, and {names[index]!r} in {part.name}"
        if classes[index] in names or names[index] in classes:
            raise ValueError(f"{text}: list the classes in the same order in both")
        report.warn(text)
