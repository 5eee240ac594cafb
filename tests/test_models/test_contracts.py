"""What a user of PyTorch and of the toolbox does with any network: each of ours allows it, also those to come."""

import copy
import inspect
import io
import pickle

import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.registry import init_default_scope
from mmengine.utils import digit_version
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from testing.utils import needs_torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fcn_plugin.geometry import CoordMap, FeatureMap
from fcn_plugin.structures import ImageFeatures

init_default_scope("mmseg")
KINDS = ("backbones", "necks", "decode_heads", "segmentors")


def kind_of(component: type) -> str:
    """What a component is, by the folder that it is in, or its class."""
    folder = component.__module__.split(".")[2]
    return folder if folder in KINDS else "segmentors" if issubclass(component, EncoderDecoder) else ""


#: Every network that this package registers, by name, and what it is.
COMPONENTS = {
    name: kind
    for name, component in MODELS.module_dict.items()
    if component.__module__.startswith("fcn_plugin.") and (kind := kind_of(component))
}
#: The same, and backbones with norms.
NETWORKS = {name: {} for name in COMPONENTS} | {"FCNVGG with norms": dict(norm_cfg=dict(type="BN"))}
#: Maps of an image of 24 by 40 pixels.
SIZE, MAPS = (24, 40), [FeatureMap(channels, CoordMap(stride, 0)) for channels, stride in ((2, 4), (3, 8), (4, 16))]
#: What narrow networks are built with, as far as they take it.
SETTINGS = dict(depth=11, width=0.02, in_channels=4, channels=5, fc6_kernel=3, num_classes=3, fc6_padding="same")


class Network(nn.Module):
    """A component that takes and returns tensors alone, for what follows tensors."""

    def __init__(self, name: str) -> None:
        super().__init__()
        name, more = name.partition(" ")[0], NETWORKS[name]
        self.kind = COMPONENTS[name]
        torch.manual_seed(0)
        if self.kind == "segmentors":
            backbone = dict(type="FCNVGG", depth=11, width=0.02, padding=1)
            head = dict(type="FCN32sHead", num_classes=3)
            self.part = MODELS.build(dict(type=name, backbone=backbone, decode_head=head))
        else:
            component = MODELS.get(name)
            takes = inspect.signature(component).parameters
            settings = {key: value for key, value in SETTINGS.items() if key in takes}
            if self.kind == "backbones":
                settings.pop("in_channels")
            if self.kind == "decode_heads":
                settings = dict(num_classes=3, input_maps=MAPS, in_index=list(range(component.num_maps or 3)))
            self.part = component(**settings, **more)
        for parameter in self.part.parameters():
            if parameter.requires_grad and parameter.ndim == 4:  # also scores, which start at zero
                nn.init.kaiming_normal_(parameter)
        self.eval()

    def inputs(self, number: int = 1) -> tuple[torch.Tensor, ...]:
        """Random images, or maps of images."""
        if self.kind in ("backbones", "segmentors"):
            return (torch.randn(number, 3, *SIZE),)
        shapes = [(one.channels, *(-(-side // int(one.stride)) for side in SIZE)) for one in MAPS]
        return tuple(torch.randn(number, *shape) for shape in shapes)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self.kind == "segmentors":
            return (self.part(*inputs, mode="tensor"),)
        if self.kind == "backbones":
            return tuple(self.part(*inputs))
        outputs = self.part(ImageFeatures(inputs, SIZE, [one.coord_map for one in MAPS]))
        return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)


@pytest.fixture(params=NETWORKS)
def network(request) -> Network:
    return Network(request.param)


def assert_same(actual: Network, network: Network, inputs: tuple[torch.Tensor, ...], **tolerances: float) -> None:
    outputs, expected = actual(*inputs), network(*inputs)
    assert len(outputs) == len(expected) > 0 and all(one.abs().max() > 0 for one in expected)
    torch.testing.assert_close(outputs, expected, **tolerances)


def test_all_kinds_are_here():
    assert {"FCNVGG", "FCConvNeck", "FCN8sHead", "AlignedEncoderDecoder"} <= COMPONENTS.keys()
    assert set(COMPONENTS.values()) == set(KINDS)


def test_copies(network):
    """Of a whole module, also behind a step of training."""
    inputs = network.inputs()
    sum(one.sum() for one in network.train()(*inputs)).backward()
    network.eval()
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    for one in (torch.load(file, weights_only=False), pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert_same(one, network, inputs, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits(network, dtype):
    """Class scores are in float32 all the same, as under autocast, and so are gradients in the type of the weights."""
    inputs = network.inputs()
    expected = network(*inputs)
    network.to(dtype)
    try:
        outputs = network(*(one.to(dtype) for one in inputs))
    except RuntimeError as error:
        if "not implemented for 'Half'" in str(error):
            pytest.skip("this PyTorch has no convolutions in float16 on a CPU")
        raise
    scores = network.kind in ("decode_heads", "segmentors")
    for one, other in zip(outputs, expected):
        assert one.dtype == (torch.float32 if scores else dtype)
        assert (one.float() - other).abs().max() <= 0.03 * other.abs().max()
    sum(one.float().sum() for one in network.train()(*(one.to(dtype) for one in inputs))).backward()
    grads = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert grads and all(one.dtype == dtype and one.isfinite().all() for one in grads)


def test_trace(network, tmp_path):
    """With gradients, as the toolbox's tools leave them on; the check of torch.jit.trace compares the graphs."""
    inputs = network.inputs()
    torch.jit.save(torch.jit.trace(network, inputs), tmp_path / "network.pt")
    assert_same(torch.jit.load(tmp_path / "network.pt"), network, inputs)


def test_compile(network):
    """In one graph; older PyTorch breaks it at what it does not know of Python."""
    inputs, in_one = network.inputs(), digit_version(torch.__version__) >= digit_version("2.8")
    torch._dynamo.reset()
    assert_same(torch.compile(network, backend="eager", fullgraph=in_one), network, inputs)


@needs_torch("2.8", "export")
def test_export(network):
    """torch.export gives a graph of torch.fx; torch.fx.symbolic_trace has no sizes of images, which crops follow."""
    inputs = network.inputs()
    with torch.no_grad():
        graph = torch.export.export(network, inputs).module()
        assert isinstance(graph, torch.fx.GraphModule)
        assert_same(graph, network, inputs)


def test_one_image_in_training(network):
    """Norms and dropout have the cells of a map."""
    outputs = network.train()(*network.inputs(1))
    sum(one.sum() for one in outputs).backward()
    assert all(one.isfinite().all() for one in outputs)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in trained)


def test_count_of_operations():
    """The toolbox's is that of the whole network; a pass leaves out what the padding repeats.

    Both agree with PyTorch's own count of what is computed.
    """
    backbone = dict(type="FCNVGG", depth=11, width=0.05)
    neck = dict(type="FCConvNeck", in_channels=26, channels=32)
    model = MODELS.build(
        dict(
            type="AlignedEncoderDecoder",
            backbone=backbone,
            neck=neck,
            decode_head=dict(type="FCN8sHead", num_classes=3),
        )
    ).eval()
    image = torch.zeros(1, 3, 64, 96)

    def counted() -> float:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(image, mode="tensor")
        return counter.get_total_flops() / 2

    toolbox = get_model_complexity_info(model, inputs=(image,), show_table=False, show_arch=False)["flops"]
    fewer = counted()
    model.backbone.reuse_padding = False
    assert toolbox == counted() and fewer < 0.8 * toolbox
