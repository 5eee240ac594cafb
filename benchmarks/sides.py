"""The networks that are measured against each other: ours, and the peer's."""

import copy
from argparse import Namespace
from collections.abc import Callable

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS, OPTIM_WRAPPERS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from fcn_plugin.engine.allocator import keep_freed_memory
from fcn_plugin.engine.bf16_optim_wrapper import BF16OptimWrapper
from fcn_plugin.engine.fused_optimizer import enable_fused
from fcn_plugin.utils.config import class_of, read_config
from fcn_plugin.weights.importing import canonical_weights

from .peer import peer_class_of

#: Number formats, and the optimizer's wrapper for each; bfloat16 is computed by autocast.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
WRAPPERS = {"fp32": OptimWrapper, "bf16": BF16OptimWrapper}
IGNORE_INDEX = 255


class Side:
    """What is measured: a ``model`` with ``modules`` by name, an ``optimizer``, a ``preprocessor``, and inputs."""

    def __init__(self, options: Namespace, dtype: str, keeps_memory: bool) -> None:
        self.options, self.dtype, self.device = options, DTYPES[dtype], torch.device(options.device)
        self.keeps_memory = keeps_memory and keep_freed_memory()
        if options.threads:
            torch.set_num_threads(options.threads)
        self.cfg = read_config(options.config)
        torch.backends.cudnn.benchmark = bool((self.cfg.get("env_cfg") or {}).get("cudnn_benchmark"))
        torch.backends.cuda.matmul.allow_tf32 = True  # as it is for cuDNN's convolutions

    def set_inputs(self, number: int, shape: tuple[int, int]) -> None:
        """Compute with so many random images of a height and a width; some pixels have no label."""
        generator = torch.Generator().manual_seed(self.options.seed)
        self.images = torch.randint(0, 256, (number, 3, *shape), dtype=torch.uint8, generator=generator)
        self.labels = torch.randint(0, self.num_classes, (number, *shape), generator=generator)
        self.labels[torch.rand(self.labels.shape, generator=generator) < 0.05] = IGNORE_INDEX
        self.normalised = self.preprocessor(self.data(), False)["inputs"]
        self.normalised_on_device = self.normalised.to(self.device)

    def data(self) -> dict:
        """The batch as the toolbox's data pipelines give it."""
        samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in self.labels]
        return dict(inputs=list(self.images), data_samples=samples)

    @torch.no_grad()
    def forward(self) -> Tensor:
        """Logits (N, num_classes, H, W) of the images, in the side's number format."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            return self.model(self.normalised_on_device)

    def computation(self, name: str) -> Callable[[], object]:
        """``forward`` or ``step``, with the network in the mode for it."""
        self.model.train(name == "step")
        return getattr(self, name)


class OurSide(Side):
    """The config's network, trained by the toolbox's ``train_step`` and the config's optimizer."""

    def __init__(self, options: Namespace, dtype: str) -> None:
        super().__init__(options, dtype, keeps_memory=True)  # as a training with this package does
        self.model = build_network(self.cfg)
        self.num_classes, self.preprocessor = self.model.num_classes, self.model.data_preprocessor
        if options.peer:
            self.model.load_state_dict(canonical_weights(random_peer(self.model, options.seed).state_dict()))
        else:
            randomise(self.model, options.seed)
        self.model.to(self.device)
        wrapper = class_of({"type": OptimWrapper, **self.cfg.optim_wrapper}, OPTIM_WRAPPERS)
        if wrapper not in (OptimWrapper, BF16OptimWrapper):
            raise ValueError(f"a step is measured with optim_wrapper.type='OptimWrapper', got {wrapper.__name__}")
        enable_fused(self.cfg)
        self.cfg.optim_wrapper.update(type=WRAPPERS[dtype], accumulative_counts=1)
        self.optim_wrapper = build_optim_wrapper(self.model, self.cfg.optim_wrapper)
        self.optimizer, self.modules = self.optim_wrapper.optimizer, dict(self.model.named_modules())
        self.set_inputs(options.batch, options.shape)

    def step(self) -> None:
        """Preprocess and train once."""
        self.model.train_step(self.data(), self.optim_wrapper)


class PeerSide(Side):
    """pytorch-fcn's network in float32, trained as in its ``examples/voc/train_fcn32s.py``."""

    def __init__(self, options: Namespace) -> None:
        super().__init__(options, "fp32", options.peer_keeps_memory)
        ours = build_network(self.cfg, "meta")
        self.num_classes, self.preprocessor = ours.num_classes, ours.data_preprocessor
        self.model = random_peer(ours, options.seed).to(self.device)
        convolutions = [module for module in self.model.modules() if isinstance(module, nn.Conv2d)]
        biases = dict(params=[module.bias for module in convolutions], lr=2e-10, weight_decay=0)
        groups = [dict(params=[module.weight for module in convolutions]), biases]
        self.optimizer = torch.optim.SGD(groups, lr=1e-10, momentum=0.99, weight_decay=5e-4)
        self.loss = nn.CrossEntropyLoss(ignore_index=IGNORE_INDEX, reduction="sum")
        self.modules = dict(self.model.named_modules(), loss=self.loss)
        self.set_inputs(options.batch, options.shape)

    def step(self) -> None:
        """Train once."""
        data, target = self.normalised.to(self.device), self.labels.to(self.device)
        self.optimizer.zero_grad()
        (self.loss(self.model(data), target) / len(data)).backward()
        self.optimizer.step()


def build_network(cfg: Config, device: str = "cpu") -> nn.Module:
    """Build a config's network without pretrained weights."""
    init_default_scope(cfg.get("default_scope") or "mmseg")
    model = copy.deepcopy(cfg.model)
    for part in filter(None, (model.get("backbone"), model.get("neck"))):
        part.init_cfg = None
    with torch.device(device):
        return MODELS.build(model)


def random_peer(ours: nn.Module, seed: int) -> nn.Module:
    """The peer's network for a model of ours."""
    return randomise(peer_class_of(ours)(n_class=ours.num_classes), seed)


def randomise(model: nn.Module, seed: int) -> nn.Module:
    """Give convolutions random weights that keep the signal's scale; time does not depend on their values."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
    return model
