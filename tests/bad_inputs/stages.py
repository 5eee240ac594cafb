"""Stages that cannot be trained in turn."""

import torch
from testing.utils import POOL4

from fcn_plugin.weights.checkpoint import read_checkpoint

from .case import Bad, Folder

TWO = "train next.py --data-root data --work-dir work"
STILL = "default_hooks.checkpoint"


def with_next_stage(folder: Folder) -> None:
    """FCN-16s after the config's FCN-32s."""
    (folder.path / "next.py").write_text(
        f"_base_ = 'config.py'\nearlier_stage = {str(folder.config)!r}\n"
        f"model = dict(decode_head=dict(type='FCN16sHead', in_channels=[{POOL4}, 8]))\n"
    )


def without_best(folder: Folder) -> None:
    """The first stage is done, and its best checkpoint has been removed."""
    with_next_stage(folder)
    checkpoint = read_checkpoint(folder.checkpoint)
    checkpoint["message_hub"]["runtime_info"]["best_ckpt"] = "/elsewhere/best_mIoU_iter_2.pth"
    (folder.path / "work/config").mkdir(parents=True)
    (folder.path / "work/config/last_validation").write_text("2")
    torch.save(checkpoint, folder.path / "work/config/iter_2.pth")


def in_other_order(folder: Folder) -> None:
    checkpoint = read_checkpoint(folder.checkpoint)
    checkpoint["meta"]["dataset_meta"]["classes"] = checkpoint["meta"]["dataset_meta"]["classes"][::-1]
    torch.save(checkpoint, folder.path / "other.pth")


EPOCHS = "train_cfg.type=EpochBasedTrainLoop train_cfg.max_epochs=2"
ORDER = "other.pth was trained with the classes in another order (0 "
TABLE = [
    Bad(
        "no-last",
        "config leaves no checkpoint of its last iteration, from which the next",
        f"{STILL}.save_last=False {STILL}.interval=3",
        prepare=with_next_stage,
        command=TWO,
    ),
    Bad(
        "no-interval",
        "leaves no checkpoint of its last iteration",
        f"{STILL}.save_last=False {STILL}.interval=-1",
        prepare=with_next_stage,
        command=TWO,
    ),
    Bad(
        "late-begin",
        "leaves no checkpoint of its last iteration",
        f"{STILL}.save_last=False {STILL}.interval=2 {STILL}.save_begin=1",
        prepare=with_next_stage,
        command=TWO,
    ),
    Bad("no-hook", "leaves no checkpoint of its last iteration", f"{STILL}=None", prepare=with_next_stage, command=TWO),
    Bad("remote", "checkpoints in s3://bucket/dir could not be found again", f"{STILL}.out_dir=s3://bucket/dir"),
    Bad(
        "remote-backend",
        "set default_hooks.checkpoint.out_dir to a directory of a local",
        f"{STILL}.out_dir=dir {STILL}.backend_args.backend=petrel",
    ),
    Bad(
        "hook-by-epoch",
        "counts epochs (by_epoch=True), but an IterBasedTrainLoop is a single one",
        f"{STILL}.by_epoch=True",
    ),
    Bad(
        "hook-refused",
        "the CheckpointHook is refused: Cannot infer the rule for key speed",
        f"{STILL}.save_best=speed",
    ),
    Bad(
        "hook-rule",
        "the CheckpointHook is refused: ",
        f"{STILL}.save_best=mIoU {STILL}.rule=most",
    ),
    Bad(
        "hook-save-begin",
        "the CheckpointHook is refused: save_begin",
        f"{STILL}.save_begin=-1",
    ),
    Bad(
        "same-directory",
        ("config and next would both save their checkpoints in {folder}/all/config",),
        f"{STILL}.out_dir=all",
        prepare=with_next_stage,
        command="train next.py --data-root data --work-dir work/config",
    ),
    Bad(
        "best-gone",
        "there is no {folder}/work/config/best_mIoU_iter_2.pth, the best checkpoint of config".replace("{folder}/", ""),
        f"{STILL}.save_best=mIoU",
        prepare=without_best,
        command=TWO,
    ),
    Bad(
        "epochs-sampler",
        ("the SeededInfiniteSampler never ends an epoch", "train_dataloader.sampler.type=SeededDefaultSampler"),
        EPOCHS,
    ),
    Bad(
        "epochs-checkpoints",
        "set default_hooks.checkpoint.by_epoch=True default_hooks.checkpoint.interval=1",
        f"{EPOCHS} train_dataloader.sampler.type=SeededDefaultSampler",
    ),
    Bad(
        "epochs-in-stages",
        "config counts epochs, and stages are trained by an IterBasedTrainLoop",
        EPOCHS,
        prepare=with_next_stage,
        command=TWO,
    ),
    Bad(
        "epochs-without-number",
        "an EpochBasedTrainLoop needs train_cfg.max_epochs",
        "train_cfg.type=EpochBasedTrainLoop",
    ),
    Bad("epochs-and-iterations", "train_cfg has both max_iters and max_epochs", "train_cfg.max_epochs=2"),
    Bad("order-of-classes-start", ORDER, "load_from=other.pth", prepare=in_other_order),
    Bad("hook-template", "filename_tmpl must have a single {} for the number", f"{STILL}.filename_tmpl={{}}_{{}}.pth"),
    Bad("hook-template-name", "got 'iter_{iter}.pth'", f"{STILL}.filename_tmpl=iter_{{iter}}.pth"),
    Bad(
        "best-figure",
        "CheckpointHook.save_best='mDice' is none of the figures of the validation: aAcc, mIoU, mAcc, fwIoU",
        f"{STILL}.save_best=mDice",
    ),
    Bad(
        "best-without-validation",
        "CheckpointHook.save_best='mIoU' needs a validation",
        f"{STILL}.save_best=mIoU val_dataloader=None val_cfg=None val_evaluator=None",
    ),
    Bad(
        "stopping-figure",
        "EarlyStoppingHook.monitor='acc' is none of the figures of the validation",
        config="custom_hooks = [dict(type='EarlyStoppingHook', monitor='acc')]",
    ),
    Bad(
        "stopping-rule",
        "custom_hooks.0 cannot be built: EarlyStoppingHook: Cannot infer the rule for speed",
        config="custom_hooks = [dict(type='EarlyStoppingHook', monitor='speed')]",
    ),
    Bad(
        "averaging-too-late",
        "EMAHook.begin_iter=9 does not fit a training of 2 iterations",
        config="custom_hooks = [dict(type='EMAHook', begin_iter=9)]",
    ),
    Bad(
        "averaging-by-epoch",
        "EMAHook.begin_epoch=1 does not fit a training of 2 iterations",
        config="custom_hooks = [dict(type='EMAHook', begin_epoch=1)]",
    ),
    Bad("order-of-classes-test", ORDER, prepare=in_other_order, command="test config.py other.pth --data-root data"),
]
