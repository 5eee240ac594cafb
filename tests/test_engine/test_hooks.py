"""The hooks, each against a model or a run made for it."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import BaseLoop
from mmseg.registry import MODELS
from torch import nn

from fcn_plugin.checks.weights import check_state_dict
from fcn_plugin.engine.hooks import CheckpointCheckHook, CompileHook, IterationSeedHook
from fcn_plugin.engine.hooks.compile_hook import enable_compile
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.utils.seeding import derived_seed
from fcn_plugin.weights.checkpoint import WeightsError

IN_CHANNELS = {32: [5], 16: [4, 5], 8: [3, 4, 5]}


class Backbone(nn.Module):
    """Something with weights and three outputs; the heads alone matter here."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.norm = nn.BatchNorm2d(5)


def segmentor(variant: int, num_classes: int = 4, **settings) -> nn.Module:
    model = nn.Module()
    model.backbone = Backbone()
    head = dict(type=f"FCN{variant}sHead", in_channels=IN_CHANNELS[variant], num_classes=num_classes, **settings)
    model.decode_head = MODELS.build(head)
    return model


class Loop(BaseLoop):
    """A loop that has been built."""

    def __init__(self, **_) -> None:
        pass

    def run(self) -> None:
        raise AssertionError


def runner_of(model: nn.Module, trains: bool = True, resume: bool = False) -> SimpleNamespace:
    """What the hook reads of a runner, with the messages of its logger."""
    messages: list[str] = []
    return SimpleNamespace(
        model=model,
        messages=messages,
        logger=SimpleNamespace(info=messages.append, warning=messages.append),
        optim_wrapper=None,
        _resume=resume,
        _train_loop=Loop() if trains else {},
        _val_loop=None,
        _test_loop=None if trains else Loop(),
    )


def preprocessor(**settings) -> dict:
    return dict(type="SegDataPreProcessor", mean=[104.00699, 2, 3], std=[57.12, 5, 6], **settings)


class TestIterationSeed:
    def numbers(self, monkeypatch=None, seed: int = 0, iteration: int = 0, rank: int = 0) -> list[float]:
        if monkeypatch:
            monkeypatch.setattr("fcn_plugin.engine.hooks.iteration_seed_hook.get_rank", lambda: rank)
        IterationSeedHook().before_train_iter(SimpleNamespace(seed=seed, iter=iteration), 0)
        return [random.random(), np.random.rand(), *torch.rand(3).tolist()]

    def test_same_iteration(self):
        assert self.numbers(iteration=5) == self.numbers(iteration=5)

    @pytest.mark.parametrize("other", [dict(seed=1), dict(iteration=6), dict(rank=1)])
    def test_differs(self, other, monkeypatch):
        assert self.numbers(monkeypatch, **{"iteration": 5, **other}) != self.numbers(monkeypatch, iteration=5)

    def test_seeds(self):
        """The values are part of the recipe: other ones would change every training."""
        assert derived_seed(0, 0) == 2968811710
        assert derived_seed(0, 1) == 3964924996
        seeds = {derived_seed(*parts) for parts in [(0, 1), (1, 0), (0, 2), (0, 1, 1), (1, 1)]}
        assert len(seeds) == 5 and all(0 <= seed < 2**32 for seed in seeds)


class TestCheckpointCheck:
    @pytest.mark.parametrize(
        "earlier, variant, left_over",
        [
            (32, 32, []),
            (16, 16, []),
            (8, 8, []),
            (32, 16, ["decode_head.upscore.weight"]),
            (16, 8, ["decode_head.upscore16.weight"]),
        ],
    )
    def test_fits(self, earlier, variant, left_over):
        assert check_state_dict(segmentor(variant), segmentor(earlier).state_dict()) == left_over

    @pytest.mark.parametrize("earlier, variant, unknown", [(32, 8, "upscore"), (8, 32, "score_pool4"), (8, 16, "")])
    def test_stage_left_out(self, earlier, variant, unknown):
        with pytest.raises(WeightsError, match=f"unknown: decode_head.{unknown}"):
            check_state_dict(segmentor(variant), segmentor(earlier).state_dict())

    def test_earlier_stage_is_not_tested_in_place_of_the_stage(self):
        with pytest.raises(WeightsError, match=r"missing: decode_head.score_pool3.*checkpoint of this config$"):
            check_state_dict(segmentor(8), segmentor(16).state_dict(), earlier_stage=False)
        assert check_state_dict(segmentor(8), segmentor(8).state_dict(), earlier_stage=False) == []

    def test_missing(self):
        state_dict = segmentor(16).state_dict()
        del state_dict["backbone.conv.bias"], state_dict["decode_head.score_fr.bias"]
        with pytest.raises(WeightsError, match=r"\(missing: backbone.conv.bias, decode_head.score_fr.bias\)"):
            check_state_dict(segmentor(16), state_dict)

    def test_further_layers_of_a_head(self):
        """The error has what lets them be: taken from there, it is accepted."""
        model, state_dict = segmentor(16), segmentor(32).state_dict()
        model.decode_head.gate = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
        with pytest.raises(WeightsError, match="missing: decode_head.gate.0.weight") as error:
            check_state_dict(model, state_dict)
        before, _, text = str(error.value).partition("custom_hooks have ")
        assert "keep their initial values" in before
        assert text == "dict(type='CheckpointCheckHook', may_differ=['decode_head.gate'])"
        hook = HOOKS.build(eval(text))
        assert check_state_dict(model, state_dict, hook.may_differ) == ["decode_head.upscore.weight"]
        with pytest.raises(WeightsError, match="checkpoint of this config$"):  # of a test, random ones would be used
            check_state_dict(model, state_dict | model.state_dict() | dict(other=torch.ones(1)), earlier_stage=False)

    def test_missing_from_the_earlier_stage(self):
        """What both stages have must be there."""
        state_dict = segmentor(32).state_dict()
        del state_dict["decode_head.score_fr.weight"]
        with pytest.raises(WeightsError, match="missing: decode_head.score_fr.weight"):
            check_state_dict(segmentor(16), state_dict)

    def test_reshaped(self):
        state_dict = segmentor(32).state_dict()
        state_dict["backbone.conv.weight"] = torch.zeros(5, 3, 1, 1)
        with pytest.raises(
            WeightsError, match=r"another shape: backbone.conv.weight \(5, 3, 1, 1\) for \(5, 3, 3, 3\)"
        ):
            check_state_dict(segmentor(32), state_dict)

    def test_batch_counter(self):
        """Older BatchNorm checkpoints have no counter."""
        state_dict = segmentor(32).state_dict()
        del state_dict["backbone.norm.num_batches_tracked"]
        assert check_state_dict(segmentor(32), state_dict) == []

    def test_upsampling_layouts(self):
        dense = segmentor(32, learnable_last_upsampling=True).state_dict()
        assert dense["decode_head.upscore.weight"].shape[1] == 4
        assert check_state_dict(segmentor(32), dense) == []
        dense["decode_head.upscore.weight"][0, 1, 5, 5] = 0.5
        with pytest.raises(WeightsError, match="decode_head.upscore: .* mixes classes: set learnable_upsampling=True"):
            check_state_dict(segmentor(32), dense)

    def test_upsampling_of_another_kernel(self):
        """As of a feature extractor whose maps lie elsewhere: the kernel would be that of another shift."""
        state_dict = segmentor(32).state_dict()
        state_dict["decode_head.upscore.weight"] = state_dict["decode_head.upscore.weight"][..., :63, :63]
        with pytest.raises(WeightsError, match=r"of another shape: decode_head.upscore.weight \(4, 1, 63, 63\) for "):
            check_state_dict(segmentor(32), state_dict)

    def test_other_classes(self):
        state_dict = segmentor(32, num_classes=7).state_dict()
        with pytest.raises(WeightsError, match="the checkpoint has 7 classes, the config 4"):
            check_state_dict(segmentor(32), state_dict)
        assert check_state_dict(segmentor(32), state_dict, may_differ=["decode_head"]) == []

    def test_many_problems(self):
        with pytest.raises(WeightsError, match=r"missing: .* and \d+ more; unknown: other"):
            check_state_dict(segmentor(8), dict(other=torch.zeros(1)))

    def test_head_of_the_toolbox(self):
        """A head that declares nothing must fit exactly."""
        model = nn.Module()
        model.decode_head = nn.Conv2d(1, 1, 1)
        assert check_state_dict(model, model.state_dict()) == []
        with pytest.raises(WeightsError, match="missing: decode_head.bias"):
            check_state_dict(model, {"decode_head.weight": torch.zeros(1, 1, 1, 1)})

    @pytest.mark.parametrize("wrapped, prefix", [(False, ""), (True, ""), (False, "module.")])
    def test_hook(self, wrapped, prefix):
        """What is not taken over leaves the checkpoint, so that the toolbox finds nothing unknown.

        DDPStrategy saves names with ``module.``.
        """
        model = segmentor(16)
        if wrapped:  # for test-time augmentation
            outer = nn.Module()
            outer.module = model
        runner = runner_of(outer if wrapped else model)
        checkpoint = dict(state_dict={prefix + key: value for key, value in segmentor(32).state_dict().items()})
        CheckpointCheckHook().after_load_checkpoint(runner, checkpoint)
        assert "decode_head.upscore.weight" not in checkpoint["state_dict"]
        assert "decode_head.score_fr.weight" in checkpoint["state_dict"]
        assert runner.messages == ["not taken over from the earlier stage: decode_head.upscore.weight"]

    def test_hook_refuses(self):
        weights = segmentor(16).state_dict()
        with pytest.raises(WeightsError, match="checkpoint of this config or of its earlier stage$"):
            CheckpointCheckHook().after_load_checkpoint(runner_of(segmentor(8)), dict(state_dict=dict(a=weights)))
        for runner, hook in (
            (runner_of(segmentor(8), trains=False), CheckpointCheckHook()),
            (runner_of(segmentor(8)), CheckpointCheckHook(earlier_stage=False)),
        ):
            with pytest.raises(WeightsError, match="checkpoint of this config$"):
                hook.after_load_checkpoint(runner, dict(state_dict=dict(weights)))
        checkpoint = dict(state_dict=segmentor(32).state_dict())
        CheckpointCheckHook(may_differ=["decode_head"]).after_load_checkpoint(runner_of(segmentor(8)), checkpoint)
        assert "decode_head.upscore.weight" not in checkpoint["state_dict"]

    def test_expectations_are_saved_and_checked(self):
        model = segmentor(16, skip_scales=[0.01])
        model.data_preprocessor = MODELS.build(preprocessor(bgr_to_rgb=True))
        runner, hook = runner_of(model), CheckpointCheckHook()
        checkpoint = dict(meta=dict(iter=3), state_dict=segmentor(16).state_dict())
        hook.before_save_checkpoint(runner, checkpoint)
        expected = dict(bgr_to_rgb=True, mean=[104.00699, 2.0, 3.0], std=[57.12, 5.0, 6.0])
        assert checkpoint["meta"] == dict(iter=3, preprocessing=expected, skip_scales=[0.01], precision="float32")
        hook.after_load_checkpoint(runner, checkpoint)
        model.decode_head.skip_scales = (1.0,)
        with pytest.raises(WeightsError, match=r"scaled by \[0.01\].*scales them by \[1.0\].*skip_scales=\[0.01\]"):
            hook.after_load_checkpoint(runner, checkpoint)
        del checkpoint["meta"]["skip_scales"]
        model.data_preprocessor = MODELS.build(preprocessor(bgr_to_rgb=False))
        with pytest.raises(WeightsError, match="expects RGB.*gives BGR.*--cfg-options .*bgr_to_rgb"):
            hook.after_load_checkpoint(runner, checkpoint)

    @pytest.mark.parametrize(
        "trains, resume, trained_in, warns",
        [
            (True, True, "bfloat16", True),
            (True, True, "float32", False),
            (True, False, "bfloat16", False),
            (False, False, "bfloat16", True),
            (False, False, "float32", False),
        ],
    )
    def test_another_precision(self, trains, resume, trained_in, warns):
        runner = runner_of(segmentor(32), trains=trains, resume=resume)
        checkpoint = dict(state_dict=segmentor(32).state_dict(), meta=dict(precision=trained_in))
        CheckpointCheckHook().after_load_checkpoint(runner, checkpoint)
        expected = (
            "the checkpoint was trained in bfloat16, and this run computes in float32, so figures may differ slightly:"
            " set `precision` in the config, --amp or --no-amp to compute as before"
        )
        assert runner.messages == [expected] * warns

    @pytest.mark.parametrize("trainer", [False, True])
    def test_pytorch_fcns_checkpoint_is_taken_as_it_is(self, trainer):
        tensors = {"score_fr.weight": torch.ones(4, 3, 1, 1), "score_fr.bias": torch.zeros(4)}
        checkpoint = dict(epoch=1, model_state_dict=tensors) if trainer else tensors
        model = nn.Module()
        model.decode_head = nn.Module()
        model.decode_head.score_fr = nn.Conv2d(3, 4, 1)
        CheckpointCheckHook().after_load_checkpoint(runner_of(model), checkpoint)
        assert list(checkpoint) == ["state_dict"]
        assert torch.equal(checkpoint["state_dict"]["decode_head.score_fr.weight"], torch.ones(4, 3, 1, 1))


class TestStartWarnings:
    """What the log says before the first iteration of a training that will not learn."""

    @staticmethod
    def warnings(backbone, head, loaded=False):
        model = nn.Module()
        model.backbone, model.decode_head = FCNVGG(width=0.02, **backbone), head
        runner = runner_of(model)
        hook = CheckpointCheckHook()
        if loaded:
            hook.after_load_checkpoint(runner, dict(state_dict=model.state_dict()))
        hook.before_train(runner)
        return runner.messages

    PRETRAINED = dict(init_cfg=dict(type="Pretrained", checkpoint="vgg16.pth"))

    @pytest.mark.parametrize(
        "backbone, scales, expected",
        [
            ({}, None, ["the backbone starts at random"]),
            ({}, [], ["the backbone starts at random"]),
            (PRETRAINED, [], []),
            (dict(init_cfg=[PRETRAINED["init_cfg"]]), [], []),
            (dict(norm_cfg=dict(type="BN")), [], []),
            (dict(norm_cfg=dict(type="GN", num_groups=1)), [], []),
            (dict(norm_cfg=dict(type="BN")), [1, 1], []),
            (PRETRAINED, [1], ["a net with 1 skips starts without the coarser net's weights"]),
            (PRETRAINED, [1e-4, 1e-2], []),
            ({}, [1, 1], ["the backbone starts at random", "a net with 2 skips starts"]),
        ],
    )
    def test_warnings(self, backbone, scales, expected):
        head = nn.Module()
        if scales is not None:  # else a head of the toolbox
            head.skip_scales = scales
        found = self.warnings(backbone, head)
        assert len(found) == len(expected) and all(f.startswith(e) for f, e in zip(found, expected))
        assert self.warnings(backbone, head, loaded=True) == []

    @pytest.mark.parametrize(
        "parts, expected",
        [
            (dict(backbone=nn.Conv2d(3, 4, 3), decode_head=nn.Conv2d(4, 2, 1)), []),  # who knows what it was built with
            (dict(net=nn.Conv2d(3, 4, 3)), []),
            (dict(net=FCNVGG(width=0.02)), []),
        ],
    )
    def test_segmentors_of_plain_modules(self, parts, expected):
        model = nn.Module()
        for name, part in parts.items():
            model.add_module(name, part)
        runner, hook = runner_of(model), CheckpointCheckHook()
        hook.before_train(runner)
        assert runner.messages == expected
        hook.after_load_checkpoint(runner, dict(state_dict=model.state_dict()))
        checkpoint = dict(meta={})
        runner.cfg = Config(dict(precision="float32"))
        hook.before_save_checkpoint(runner, checkpoint)
        assert checkpoint["meta"]["preprocessing"] == dict(bgr_to_rgb=False, mean=[0.0], std=[1.0])
        enable = CompileHook(backend="eager")
        enable.before_run(runner)
        assert enable.compiled


class TestCompile:
    @pytest.mark.parametrize("setting, expected", [
        (True, [dict(type="CompileHook")]), (dict(backend="eager"), [dict(type="CompileHook", backend="eager")]),
        (False, []), (None, []),
    ])  # fmt: skip
    def test_the_runners_option_becomes_a_hook(self, setting, expected):
        cfg = Config({} if setting is None else dict(compile=setting))
        enable_compile(cfg)
        assert cfg.get("custom_hooks", []) == expected and "compile" not in cfg
        with pytest.raises(ValueError, match="compile must be True, False or a dict .*, got 'yes'"):
            enable_compile(Config(dict(compile="yes")))

    def test_images_of_many_sizes_are_compiled_once(self):
        """The first ones settle what sizes may be, with the same logits."""
        init_default_scope("mmseg")
        counters = torch._dynamo.utils.counters["stats"]
        torch.manual_seed(0)
        extractor = dict(
            backbone=dict(type="FCNVGG", width=0.02), neck=dict(type="FCConvNeck", in_channels=10, channels=8)
        )
        head = dict(type="FCN16sHead", in_channels=[10, 8], num_classes=3)
        segmentor = dict(type="AlignedEncoderDecoder", decode_head=head, test_cfg=dict(mode="whole"), **extractor)
        model = MODELS.build(segmentor).eval()
        model.init_weights()
        nn.init.normal_(model.decode_head.score_fr.weight)
        sizes = [(70, 93), (164, 90), (97, 190), (130, 141), (65, 66), (90, 112), (131, 77), (82, 80)]
        images = [torch.randn(1, 3, *size) for size in sizes]
        with torch.no_grad():
            expected = [model(image, mode="tensor") for image in images]
            names = set(model.state_dict())
            CompileHook(backend="eager").before_run(SimpleNamespace(model=model))
            torch._dynamo.reset()
            counters.clear()
            graphs = []
            for image, logits in zip(images, expected):
                torch.testing.assert_close(model(image, mode="tensor"), logits, rtol=1e-4, atol=1e-4)
                graphs.append(counters["unique_graphs"])
        assert logits.std() > 0 and set(model.state_dict()) == names
        assert 0 < graphs[0] and graphs[3:] == [graphs[2]] * 5, graphs
