"""A training that goes on, against what it was before: in silence, the toolbox takes half of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from ..weights.checkpoint import read_checkpoint
from .model import check_model
from .run_facts import WITHOUT_EFFECT, classes_of, differences, plain, run_facts

RUN_FACTS = "run"  #: where a checkpoint's ``meta`` keeps the facts of its training
MAX_LENGTH = 200  #: characters of a value in a message
MAX_CHANGES = 12  #: to name in a message
#: Settings that say how fast each weight learns: of the optimizer, and when it learns how fast.
RATES = (
    "optim_wrapper.optimizer",
    "optim_wrapper.paramwise_cfg",
    "param_scheduler",
    "auto_scale_lr",
    "train_dataloader.batch_size",
    "processes",
)
OTHER_OPTIMIZER = "The state of one optimizer is of no use to another"
OTHER_GROUPS = "With and without paramwise_cfg, an optimizer groups its parameters differently"
#: Settings that optimizers have in common.
COMMON = {"lr", "weight_decay", "maximize", "differentiable", "decoupled_weight_decay", *WITHOUT_EFFECT}
#: Facts that older versions noted by themselves, and where in ``meta``.
OLDER = (("randomness.seed", "seed"), ("precision", "precision"))


@dataclass(frozen=True)
class Change:
    """A setting that is another one than when the checkpoint was saved.

    Attributes:
        setting: its name, as in ``--cfg-options`` where it is one.
        old: its value then.
        new: its value now.
        refused: why no training can go on with it; empty if it can be meant.
    """

    setting: str
    old: Any
    new: Any
    refused: str = ""

    def __str__(self) -> str:
        return f"{self.setting}: {_text(self.old)} then, {_text(self.new)} now"

    @property
    def of_rates(self) -> bool:
        """Whether it is of how fast the weights learn."""
        return any(self.setting == name or self.setting.startswith(f"{name}.") for name in RATES)


def check_resume(cfg: Config) -> None:
    """Check that a training that goes on from ``load_from`` has the settings that its checkpoint was trained with.

    Raises:
        ValueError: listing what has changed, unless ``accept_changes`` of the config is set and it can be meant.
    """
    changes = changes_since(read_checkpoint(cfg.load_from), cfg)
    refused = [change for change in changes if change.refused]
    if not changes or (cfg.get("accept_changes") and not refused):
        return
    what = f"{cfg.load_from} was trained with other settings than it would go on with: {listed(changes)}"
    if refused:
        reasons = "; ".join(dict.fromkeys(change.refused for change in refused))
        raise ValueError(f"{what}. {reasons}: give another --work-dir to start anew, or the old settings")
    raise ValueError(
        f"{what}. Give the old settings, another --work-dir to start anew, or --accept-changes to go on with the new"
        " ones (accept_changes=True in a config); the result is then not that of one uninterrupted training"
    )


def changes_since(checkpoint: Mapping, cfg: Config) -> list[Change]:
    """What has changed since a checkpoint was saved.

    Args:
        checkpoint (Mapping): with all that the training saved. For one of an older version, which does not note the
            facts of its training, what else is in it is compared.
        cfg (Config): as for :func:`run_facts`.
    """
    noted, new = (checkpoint.get("meta") or {}).get(RUN_FACTS), run_facts(cfg)
    old = dict(noted if isinstance(noted, dict) else _older_facts(checkpoint, new))
    if new["randomness.seed"] is None:
        old.pop("randomness.seed", None)  # the checkpoint's is taken
    before, after = old.pop("length", None), new.pop("length")
    found = [part for name in new if name in old for part in differences(old[name], new[name], name)]
    changes = [Change(*part, _refusal(*part)) for part in found]
    if not isinstance(noted, dict):
        changes += _older_optimizer(checkpoint, cfg)
    if "optimizer" not in checkpoint:
        reason = "Without it (CheckpointHook's save_optimizer=False), no training can go on"
        changes.append(Change("state of the optimizer", "not saved", "needed", reason))
    if not any(change.of_rates for change in changes) and _has_ended(new["param_scheduler"], before, after):
        changes.append(Change("training", f"{before}, where param_scheduler ends", after))
    return changes


def check_class_order(classes: Sequence[str] | None, cfg: Config, dataloader: str, source: str) -> str | None:
    """Compare the classes of a checkpoint with those of the data it is used for.

    Args:
        classes (Sequence[str], optional): of the checkpoint (``dataset_meta`` in its ``meta``).
        cfg (Config): with the data set.
        dataloader (str): which data set.
        source (str): what to call the checkpoint.

    Returns:
        str | None: a warning if the classes have other names.

    Raises:
        ValueError: if they are the same names in another order.
    """
    now = classes_of(cfg, dataloader)
    old = [str(name) for name in classes or []]
    if not old or not now or old == now or len(old) != len(now):
        return None  # another number does not fit the weights
    where = [i for i, (before, after) in enumerate(zip(old, now)) if before != after]
    names = ", ".join(f"{i} {old[i]!r} then, {now[i]!r} now" for i in where[:6]) + (", ..." if len(where) > 6 else "")
    if sorted(old) == sorted(now):
        raise ValueError(
            f"{source} was trained with the classes in another order ({names}): give the data set's metainfo the"
            f" order of the checkpoint, classes={tuple(old)}"
        )
    return f"{source} was trained with other classes than the data of {dataloader} have ({names})"


def listed(changes: Iterable[Change]) -> str:
    """Changes in words."""
    texts = list(map(str, changes))
    rest = len(texts) - MAX_CHANGES
    return "; ".join(texts[:MAX_CHANGES]) + (f"; and {rest} more" if rest > 0 else "")


def _refusal(setting: str, before: Any, after: Any) -> str:
    """Why no training can go on with a changed setting; empty if it can."""
    if setting == "classes" and sorted(before) == sorted(after):
        return "With the classes in another order, the weights mean something else"
    if setting == "optim_wrapper.optimizer.type":
        return OTHER_OPTIMIZER
    if setting == "optim_wrapper.paramwise_cfg" and bool(before) != bool(after):
        return OTHER_GROUPS
    if setting == "EMAHook" and bool(before) != bool(after):
        return "Averaging cannot begin or end within a training"
    return ""


def _has_ended(schedule: Any, before: int | None, after: int) -> bool:
    """Whether a training is now longer than its schedule, which it was not before."""
    ends = [one["end"] for one in schedule if isinstance(one, dict)] if isinstance(schedule, list) else []
    ends = [end for end in ends if not isinstance(end, str)]
    return bool(ends) and before is not None and after > before >= max(ends)


def _older_facts(checkpoint: Mapping, new: Mapping) -> dict[str, Any]:
    """What a checkpoint without noted facts tells of its training, in the words of ``new``."""
    meta = checkpoint.get("meta") or {}
    facts = {"EMAHook": (new["EMAHook"] or ["one"]) if "ema_state_dict" in checkpoint else []}
    if classes := (meta.get("dataset_meta") or {}).get("classes"):
        facts["classes"] = [str(name) for name in classes]
    facts.update({name: meta[key] for name, key in OLDER if meta.get(key) is not None})
    states, now = checkpoint.get("param_schedulers"), new["param_scheduler"]
    if isinstance(now, list) and isinstance(states, (list, type(None))):
        states = states or []
        facts["param_scheduler"] = [
            {key: plain(state.get(key, value)) for key, value in settings.items()}
            for state, settings in zip(states, now)
        ] + [{"end": state.get("end")} for state in states[len(now) :]]
    return facts


def _older_optimizer(checkpoint: Mapping, cfg: Config) -> list[Change]:
    """In what the saved settings of an optimizer differ from those of the optimizer that the config describes."""
    groups = (checkpoint.get("optimizer") or {}).get("param_groups")
    wrapper = dict(cfg.get("optim_wrapper") or {}, type="OptimWrapper")
    if not groups or not wrapper.get("optimizer"):
        return []
    own = {key: wrapper[key] for key in ("type", "constructor", "optimizer", "paramwise_cfg") if key in wrapper}
    own["optimizer"] = {key: value for key, value in own["optimizer"].items() if key not in WITHOUT_EFFECT}
    try:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
            optimizer = build_optim_wrapper(check_model(cfg), own).optimizer
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError):  # which other checks tell
        return []
    kind, wanted = type(optimizer).__name__, optimizer.param_groups
    had = [key for key in groups[0] if key not in COMMON and not key.startswith(("initial_", "params"))]
    if not set(wanted[0]) - COMMON <= {*had, "params"}:
        old = f"one with {' and '.join(sorted(had))}" if had else "one without settings of its own"
        return [Change("optim_wrapper.optimizer.type", old, kind, OTHER_OPTIMIZER)]
    if len(groups) != len(wanted):
        counts = (f"{len(groups)} groups of parameters", f"{len(wanted)}")
        return [Change("optim_wrapper.paramwise_cfg", *counts, OTHER_GROUPS)]
    changes = {}
    for old, new in zip(groups, wanted):
        for key in [key for key in new if key in old and key not in ("params", *WITHOUT_EFFECT)]:
            before, after = plain(old.get(f"initial_{key}", old[key])), plain(new[key])
            scaled = key == "lr" and (cfg.get("auto_scale_lr") or {}).get("enable")
            if before != after and not scaled:
                changes.setdefault(key, Change(f"optim_wrapper.optimizer.{key}", before, after))
    return list(changes.values())


def _text(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."
