"""The checkpoints of a training: where its CheckpointHook saves them, which is the newest, and which the best."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log

from ..checks.watched import built_hook
from ..utils.config import configured_hooks
from ..utils.text import summarize
from ..weights.checkpoint import WeightsError, read_checkpoint


class Checkpoints:
    """The checkpoints that a config's CheckpointHook writes, found as the hook names them.

    Args:
        cfg (Config): with ``work_dir``.

    Raises:
        ValueError: if the hook cannot be built, or saves where the files could not be found.

    Attributes:
        hook: the hook as the config has it, or None if it has none.
        directory: where the files are.
    """

    def __init__(self, cfg: Config) -> None:
        self.hook = _build_hook(cfg)
        self.directory = Path(cfg.work_dir)
        if self.hook is None:
            return
        out_dir, work_dir = self.hook.out_dir, os.path.abspath(cfg.work_dir)
        backends = [(args or {}).get("backend") for args in (self.hook.file_client_args, self.hook.backend_args)]
        if "://" in str(out_dir) or not {*backends} <= {None, "local", "disk"}:
            raise ValueError(
                f"checkpoints in {out_dir or cfg.work_dir} could not be found again, neither by the next stage nor"
                " after an interruption: set default_hooks.checkpoint.out_dir to a directory of a local or mounted disk"
                " and no backend_args"
            )
        if out_dir is not None and str(out_dir) != work_dir:
            self.directory = Path(out_dir, os.path.basename(work_dir))

    def newest(self) -> tuple[Path, dict] | None:
        """The newest checkpoint that can be used, and what is in it.

        One that was cut off by a kill, or whose weights are not finite, is passed over with a warning.
        """
        for file in self._files():
            try:
                checkpoint = read_checkpoint(file)
                _check_finite(file, checkpoint)
            except WeightsError as error:
                print_log(f"passed over: {error}", logger="current", level=logging.WARNING)
                continue
            return file, checkpoint
        return None

    def number(self, file: Path) -> int:
        """The number in the name of a checkpoint, of iterations or epochs; 0 if the name has none."""
        return int((self._pattern().fullmatch(file.name).groups() or ("0",))[0])

    def best(self, checkpoint: Mapping) -> Path | None:
        """The best checkpoint (``save_best``), as the newest one names it; of several figures, that of the first.

        Args:
            checkpoint (Mapping): what is in the newest checkpoint.
        """
        if self.hook is None or not self.hook.save_best:
            return None
        known = (checkpoint.get("message_hub") or {}).get("runtime_info", {})
        name = known.get("best_ckpt") or known.get(f"best_ckpt_{self.hook.save_best[0]}")
        if name is None:
            return None
        return self.directory / Path(name).name  # the directory may have been moved

    def leaves_last(self, length: int) -> bool:
        """Whether the hook saves at the end of a training of ``length`` iterations or epochs."""
        hook = self.hook
        if hook is None or hook.save_last:
            return hook is not None
        return hook.interval > 0 and length >= hook.save_begin and (length - hook.save_begin) % hook.interval == 0

    def _pattern(self) -> re.Pattern[str]:
        """Of the names of checkpoints; the number is a group."""
        pattern = ""
        for text, field, *_ in Formatter().parse(Path(self.hook.filename_tmpl).name):
            pattern += re.escape(text) + ("" if field is None else r"(\d+)")
        return re.compile(pattern)

    def _files(self) -> Iterator[Path]:
        """The files, newest first by the number in their names."""
        if self.hook is None:
            return
        folder, pattern = self.directory / Path(self.hook.filename_tmpl).parent, self._pattern()
        yield from sorted(
            (file for file in folder.glob("*") if file.is_file() and pattern.fullmatch(file.name)), key=self.number
        )[::-1]


def _build_hook(cfg: Config) -> CheckpointHook | None:
    hooks = configured_hooks(cfg, CheckpointHook)
    if "checkpoint" not in (cfg.get("default_hooks") or {}):
        hooks.append(dict(type="CheckpointHook"))  # the runner's default
    if not hooks:
        return None
    hook = built_hook(hooks[0])
    try:
        hook.filename_tmpl.format(1)
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(
            "default_hooks.checkpoint.filename_tmpl must have a single {} for the number, such as 'iter_{}.pth', got"
            f" {hook.filename_tmpl!r}"
        ) from error
    return hook


def _check_finite(file: Path, checkpoint: Mapping) -> None:
    weights = {**checkpoint["state_dict"], **checkpoint.get("ema_state_dict", {})}
    # a sum is quick, and not finite if a value is not; very large values may have such a sum as well
    suspect = [name for name, value in weights.items() if not torch.isfinite(value.sum())]
    wrong = [name for name in suspect if not torch.isfinite(weights[name]).all()]
    if wrong:
        raise WeightsError(f"{file} holds weights that are not finite: {summarize(wrong)}")
