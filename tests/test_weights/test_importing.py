"""Every source of weights, from a small file of its format to canonical tensors, bit by bit."""

import os
import pickle

import pytest
import torch
from testing import weight_files as files
from testing.utils import WIDTH

from fcn_plugin.models.backbones import FCNVGG, GoogLeNet
from fcn_plugin.models.necks import FCConvNeck
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.importing import cast_weights, file_checksums, import_weights, save_weights, set_preprocessing
from fcn_plugin.weights.preprocessing import CAFFE, RGB_255, TORCHVISION

PREFIXES = {"conv": "backbone.", "bn": "backbone.", "fc6": "neck.", "fc7": "neck.", "fc8": "", "sc": "decode_head."}
PREFIXES |= {"up": "decode_head."}


def canonical(tensors):
    prefix = lambda key: next(value for start, value in PREFIXES.items() if key.startswith(start))  # noqa: E731
    return {prefix(key) + key: value for key, value in tensors.items()}


def assert_imported(path, tensors, architecture, source):
    checkpoint = import_weights(path)
    expected = canonical(tensors)
    assert checkpoint["state_dict"].keys() == expected.keys() and len(expected) >= 16
    for key, value in expected.items():
        assert torch.equal(checkpoint["state_dict"][key], value), key
    meta = checkpoint["meta"]
    assert meta["architecture"] == architecture
    assert meta["source"] == dict(format=source, file=path.name, sha256=file_checksums(path)["sha256"])
    return meta


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_torchvision(tmp_path, depth, batch_norm):
    tensors = files.reference_weights(depth, batch_norm=batch_norm)
    torch.save(files.torchvision_names(tensors, depth), tmp_path / "vgg.pth")
    meta = assert_imported(
        tmp_path / "vgg.pth", tensors, f"vgg{depth}" + ("_bn" if batch_norm else ""), "torchvision VGG"
    )
    assert "preprocessing" not in meta  # Caffe's weights come in the same layout


def test_torchvision_numbers_its_layers_like_this():
    """Indices as printed by torchvision's vgg16 and vgg16_bn."""
    plain = files.torchvision_names(files.reference_weights())
    norm = files.torchvision_names(files.reference_weights(batch_norm=True))
    convs = lambda names: sorted({int(k.split(".")[1]) for k in names if k[0] == "f" and names[k].ndim == 4})  # noqa: E731
    assert convs(plain) == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert convs(norm) == [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]


def test_caffe_in_torchvisions_layout(tmp_path):
    """The conversion whose classifier starts with dropout expects Caffe's input."""
    tensors = files.reference_weights()
    torch.save(files.torchvision_names(tensors, linears=(1, 4, 7)), tmp_path / "vgg.pth")
    assert assert_imported(tmp_path / "vgg.pth", tensors, "vgg16", "torchvision VGG")["preprocessing"] == CAFFE


@pytest.mark.parametrize(
    "algorithm, digest, expected",
    [
        ("sha256", "397923af", TORCHVISION),
        ("sha256", "6c64b313", TORCHVISION),
        ("sha256", "00b39a1b", CAFFE),
        ("sha256", "88682ab5", RGB_255),
        ("md5", "aa75b158f4181e7f6230029eb96c1b13", CAFFE),
    ],
)
def test_published_files_are_known_by_their_checksum(tmp_path, monkeypatch, algorithm, digest, expected):
    torch.save(files.torchvision_names(files.reference_weights()), tmp_path / "vgg.pth")
    known = file_checksums(tmp_path / "vgg.pth")
    checksums = {**known, algorithm: digest.ljust(len(known[algorithm]), "0")}
    monkeypatch.setattr("fcn_plugin.weights.importing.file_checksums", lambda path: checksums)
    assert import_weights(tmp_path / "vgg.pth")["meta"]["preprocessing"] == expected


@pytest.mark.parametrize("depth, batch_norm", [(11, False), (16, False), (16, True), (19, True)])
@pytest.mark.parametrize("prefix", ["backbone.", ""])
def test_mmpretrain(tmp_path, depth, batch_norm, prefix):
    tensors = files.reference_weights(depth, batch_norm=batch_norm)
    names = files.mmpretrain_names(tensors, depth)
    named = {prefix + key.removeprefix("backbone."): value for key, value in names.items()}
    torch.save(dict(meta={}, state_dict=named), tmp_path / "vgg.pth")
    name = f"vgg{depth}" + ("_bn" if batch_norm else "")
    assert assert_imported(tmp_path / "vgg.pth", tensors, name, "mmpretrain VGG")["preprocessing"] == TORCHVISION


@pytest.mark.parametrize("depth", [16, 19])
@pytest.mark.parametrize("classifier", [True, False])
@pytest.mark.parametrize("group, style", [("", "{0}_{1}_1:0"), ("model_weights", "{0}/{1}:0")])
def test_keras(tmp_path, depth, classifier, group, style):
    tensors = files.reference_weights(depth, classifier)
    files.write_keras(tmp_path / "vgg.h5", tensors, group, style)
    assert assert_imported(tmp_path / "vgg.h5", tensors, f"vgg{depth}", "Keras VGG")["preprocessing"] == CAFFE


def test_keras_flattens_height_width_channels(tmp_path):
    """By hand: two channels on a 7x7 map, one output; input number (row * 7 + column) * 2 + channel."""
    import h5py

    tensors = files.reference_weights(16)
    files.write_keras(tmp_path / "vgg.h5", {k: v for k, v in tensors.items() if k.startswith("conv")})
    with h5py.File(tmp_path / "vgg.h5", "a") as file:
        channels = files.CHANNELS[-1]
        file.create_dataset("fc1/kernel:0", data=torch.arange(49.0 * channels)[:, None].numpy())
    weight = import_weights(tmp_path / "vgg.h5")["state_dict"]["neck.fc6.weight"]
    assert weight.shape == (1, channels, 7, 7)
    for channel, row, column in ((0, 0, 0), (1, 0, 0), (0, 0, 1), (5, 6, 2), (3, 1, 6)):
        assert weight[0, channel, row, column] == (row * 7 + column) * channels + channel


@pytest.mark.parametrize("generation", ["new", "old", "oldest"])
def test_caffe_classifier(tmp_path, generation):
    """VGG_ILSVRC_16_layers, whose linear layers are flat."""
    tensors = files.reference_weights()
    files.write_caffemodel(tmp_path / "vgg.caffemodel", files.flattened(tensors), generation)
    meta = assert_imported(tmp_path / "vgg.caffemodel", tensors, "vgg16", "Caffe")
    assert meta["preprocessing"] == CAFFE and "skip_scales" not in meta


@pytest.mark.parametrize("generation", ["new", "old"])
def test_caffenet(tmp_path, generation):
    shapes = dict(conv1=(4, 3, 11, 11), conv2=(6, 2, 5, 5), conv3=(8, 6, 3, 3), conv4=(8, 4, 3, 3), conv5=(5, 4, 3, 3))
    shapes |= dict(fc6=(7, 5, 6, 6), fc7=(7, 7, 1, 1), fc8=(9, 7, 1, 1))
    tensors = {f"{name}.weight": torch.randn(shape) for name, shape in shapes.items()}
    tensors |= {f"{name}.bias": torch.randn(shape[0]) for name, shape in shapes.items()}
    files.write_caffemodel(tmp_path / "net", files.flattened(tensors), generation)
    assert_imported(tmp_path / "net", tensors, "caffenet", "Caffe")


@pytest.mark.parametrize("generation", ["new", "old", "oldest"])
def test_googlenet(tmp_path, generation):
    """bvlc_googlenet, whose names have slashes; its auxiliary classifiers are left out."""
    tensors = files.googlenet_weights()
    path = tmp_path / "bvlc_googlenet.caffemodel"
    files.write_caffemodel(path, tensors, generation)
    checkpoint = import_weights(path)
    found = dict(checkpoint["state_dict"])
    assert checkpoint["meta"]["architecture"] == "googlenet" and checkpoint["meta"]["preprocessing"] == CAFFE
    assert checkpoint["meta"]["source"]["format"] == "Caffe" and "skip_scales" not in checkpoint["meta"]
    for name, original in (
        ("backbone.conv1_7x7_s2.weight", "conv1/7x7_s2.weight"),
        ("backbone.conv2_3x3_reduce.bias", "conv2/3x3_reduce.bias"),
        ("backbone.inception_3a.1x1.weight", "inception_3a/1x1.weight"),
        ("backbone.inception_4e.5x5_reduce.weight", "inception_4e/5x5_reduce.weight"),
        ("backbone.inception_5b.pool_proj.bias", "inception_5b/pool_proj.bias"),
        ("fc8.bias", "loss3/classifier.bias"),
    ):
        assert torch.equal(found[name], tensors[original]), name
    assert torch.equal(found["fc8.weight"], tensors["loss3/classifier.weight"][..., None, None])

    net = GoogLeNet(width=WIDTH, init_cfg=dict(type="Pretrained", checkpoint=str(path)))
    net.init_weights()
    own = net.state_dict()
    assert len(own) == 2 * 57
    assert {f"backbone.{key}" for key in own} | {"fc8.weight", "fc8.bias"} == found.keys()
    for key, value in own.items():
        layer, _, parameter = key.rpartition(".")
        layer = layer.replace(".", "/") if "inception" in layer else layer.replace("_", "/", 1)
        assert torch.equal(value, tensors[f"{layer}.{parameter}"]), key


def test_googlenet_of_other_layers(tmp_path):
    tensors = files.googlenet_weights()
    path = tmp_path / "net.caffemodel"
    files.write_caffemodel(path, {key: value for key, value in tensors.items() if "5b/3x3." not in key})
    with pytest.raises(WeightsError, match="56 convolutions .* of no VGG 11, 13, 16, 19, CaffeNet or GoogLeNet"):
        import_weights(path)
    for name in ("inception_6a/1x1", "inception_3a/7x7", "loss4/classifier", "conv1/7x7"):
        files.write_caffemodel(path, {**tensors, f"{name}.weight": torch.zeros(1, 1, 1, 1)})
        with pytest.raises(WeightsError, match="expected the names of Caffe"):
            import_weights(path)


@pytest.mark.parametrize("skips, scales", [((), []), ((4,), [1]), ((4, 3), [1, 1]), ((4, 3), [1e-4, 1e-2])])
def test_caffe_fcn(tmp_path, skips, scales):
    """The reference's releases; that trained at once has scales per channel before the scores of the skips."""
    tensors = files.fcn_weights(skips)
    layers = dict(tensors)
    if scales == [1e-4, 1e-2]:
        for skip, scale in zip((3, 4), scales):
            layers[f"scale_pool{skip}.weight"] = torch.full((files.CHANNELS[skip - 1],), scale)
    files.write_caffemodel(tmp_path / "fcn.caffemodel", layers)
    meta = assert_imported(tmp_path / "fcn.caffemodel", tensors, "vgg16", "Caffe")
    assert meta["skip_scales"] == scales and meta["preprocessing"] == CAFFE


@pytest.mark.parametrize("skips", [(), (4,), (4, 3)])
@pytest.mark.parametrize("trainer", [False, True])
def test_pytorch_fcn(tmp_path, skips, trainer):
    """A bare state dict, or a checkpoint of pytorch-fcn's trainer."""
    tensors = files.fcn_weights(skips)
    content = dict(epoch=1, arch="FCN8sAtOnce", optim_state_dict={}, model_state_dict=tensors) if trainer else tensors
    torch.save(content, tmp_path / "fcn.pth")
    meta = assert_imported(tmp_path / "fcn.pth", tensors, "vgg16", "pytorch-fcn")
    assert meta["preprocessing"] == CAFFE
    assert meta.get("skip_scales") == ([1e-4, 1e-2] if trainer else None)


def test_imported_checkpoints_are_sources_too(tmp_path):
    tensors = canonical(files.fcn_weights((4,)))
    meta = dict(preprocessing=TORCHVISION, skip_scales=[1.0], cfg="long", source=dict(format="Caffe"))
    save_weights(dict(state_dict=tensors, meta=meta, optimizer={}), tmp_path / "a.pth")
    again = import_weights(tmp_path / "a.pth")
    assert again["state_dict"].keys() == tensors.keys() and set(again) == {"state_dict", "meta"}
    assert again["meta"] == {key: meta[key] for key in ("preprocessing", "skip_scales", "source")}


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("names", ["own", "torchvision"])
def test_prefixes_of_wrapped_models(tmp_path, prefix, names):
    """Of several processes, compiled, or both; only a backbone may have been compiled, too."""
    tensors = files.reference_weights()
    named = canonical(tensors) if names == "own" else files.torchvision_names(tensors)
    torch.save({prefix + key: value for key, value in named.items()}, tmp_path / "a.pth")
    torch.save({prefix + key.replace(".", "._orig_mod.", 1): value for key, value in named.items()}, tmp_path / "b.pth")
    for path in ("a.pth", "b.pth"):
        weights = import_weights(tmp_path / path)["state_dict"]
        assert weights.keys() == canonical(tensors).keys()
        for key, value in canonical(tensors).items():
            assert torch.equal(weights[key], value), key


@pytest.mark.parametrize("part", ["backbone", "neck"])
@pytest.mark.parametrize("kind", ["torchvision", "mmpretrain", "keras", "caffe", "canonical"])
def test_init_cfg_understands_every_source(tmp_path, kind, part):
    """The toolbox's own initialisation loads the files as they are, by path."""
    tensors = files.reference_weights()
    path = tmp_path / {"keras": "vgg.h5", "caffe": "vgg.caffemodel"}.get(kind, "vgg.pth")
    if kind == "keras":
        files.write_keras(path, tensors)
    elif kind == "caffe":
        files.write_caffemodel(path, files.flattened(tensors), "old")
    else:
        names = dict(torchvision=files.torchvision_names, mmpretrain=files.mmpretrain_names, canonical=canonical)
        torch.save(names[kind](tensors), path)
    init_cfg = dict(type="Pretrained", checkpoint=str(path))
    if part == "backbone":
        module = FCNVGG(width=WIDTH, init_cfg=init_cfg)
        names = files.conv_names(16)
    else:
        module = FCConvNeck(files.CHANNELS[-1], files.FC, init_cfg=init_cfg)
        names = ["fc6", "fc7"]
    module.init_weights()
    assert len(module.state_dict()) == 2 * len(names)
    for key, value in module.state_dict().items():
        assert torch.equal(value, tensors[key]), key


WRONG = {
    "empty": (b"", "file is empty: copy or download"),
    "text": (b"conv1_1", "starts with b'conv1_1'"),
    "web page": (b"\n<!DOCTYPE html>", "is a web page"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "truncated, or no HDF5 file"),
    "zip": (b"PK\3\4" + b"\0" * 50, "truncated, or not a checkpoint"),
    "caffemodel": (b"\x0a\x03net\x12\xff\xff\xff\x0f", "truncated, or no caffemodel"),
    "prototxt": (b"\x0a\x03net", "holds no weights"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_files(tmp_path, kind):
    content, message = WRONG[kind]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        import_weights(tmp_path / "file")


def test_truncated_anywhere(tmp_path):
    """Cut off at many places, no format passes."""
    tensors = files.reference_weights(11)
    torch.save(files.torchvision_names(tensors, 11), tmp_path / "a.pth")
    files.write_keras(tmp_path / "a.h5", files.reference_weights(16))
    files.write_caffemodel(tmp_path / "a.caffemodel", tensors)
    for path in list(tmp_path.iterdir()):
        content = path.read_bytes()
        for percent in (1, 30, 60, 90, 99):
            path.write_bytes(content[: len(content) * percent // 100])
            with pytest.raises(WeightsError):
                import_weights(path)


class Malicious:
    def __reduce__(self):
        return os.system, ("touch malicious_was_here",)


@pytest.mark.parametrize("container", ["zip", "pickle"])
def test_malicious_file_does_not_run(tmp_path, monkeypatch, container):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)  # set by the tools, as a second guard
    if container == "zip":
        torch.save(dict(state_dict=Malicious()), "bad.pth")
    else:
        (tmp_path / "bad.pth").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(WeightsError, match="cannot be loaded safely|can be loaded safely"):
        import_weights("bad.pth")
    assert not (tmp_path / "malicious_was_here").exists()


def test_wrong_architectures(tmp_path):
    path = tmp_path / "net.pth"
    for tensors, message in (
        ({"layer1.0.conv1.weight": torch.zeros(1)}, "holds layer1.0.conv1.weight: expected the names of torchvision"),
        ({f"features.{i}.weight": torch.zeros(1, 1, 3, 3) for i in (0, 3, 6, 9)}, "4 convolutions .* VGG 11, 13, 16"),
        (
            {**files.torchvision_names(files.reference_weights()), "classifier.0.weight": torch.zeros(8, 26 * 48)},
            "fc6.weight takes 1248 inputs, which is no square map of 26 channels",
        ),
    ):
        torch.save(tensors, path)
        with pytest.raises(WeightsError, match=message):
            import_weights(path)
    with pytest.raises(FileNotFoundError, match="there is no weight file .*none.pth"):
        import_weights(tmp_path / "none.pth")


def test_caffemodel_of_another_network(tmp_path):
    files.write_caffemodel(tmp_path / "net", {"conv1_1_bgrd.weight": torch.zeros(2, 4, 3, 3)})
    with pytest.raises(WeightsError, match="holds conv1_1_bgrd.weight: expected the names of Caffe"):
        import_weights(tmp_path / "net")
    files.write_caffemodel(tmp_path / "net", {"conv1_1.weight": torch.zeros(2, 3, 3, 3)})
    content = (tmp_path / "net").read_bytes()
    (tmp_path / "net").write_bytes(content[:-1] + b"\x05")  # the last dimension of its shape
    with pytest.raises(WeightsError, match=r"conv1_1 has a blob of 54 numbers for a shape of \[2, 3, 3, 5\]"):
        import_weights(tmp_path / "net")


def test_theano_order_is_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        file.create_dataset("block1_conv1/W", data=torch.zeros(64, 3, 3, 3).numpy())
    with pytest.raises(WeightsError, match=r"kernel of \(64, 3, 3, 3\): expected TensorFlow's order"):
        import_weights(tmp_path / "vgg.h5")


def test_preprocessing_must_be_given_where_it_is_unknown():
    checkpoint = dict(state_dict={}, meta={})
    with pytest.raises(WeightsError, match="x.pth does not tell which input it expects: give --preprocessing.*BGR"):
        set_preprocessing(checkpoint, None, "x.pth")
    set_preprocessing(checkpoint, "torchvision", "x.pth")
    assert checkpoint["meta"] == dict(preprocessing=TORCHVISION)
    set_preprocessing(checkpoint, None, "x.pth")
    with pytest.raises(WeightsError, match="known to expect RGB.*leave out --preprocessing caffe"):
        set_preprocessing(checkpoint, "caffe", "x.pth")


def test_cast_weights():
    third, number = torch.tensor([1 / 3]), torch.tensor([[3]])
    state = {"weight": torch.tensor([[1.0, 1 / 3]]), "bias": third, "number": number}
    cast = cast_weights(state, torch.bfloat16)
    assert cast["weight"].dtype == torch.bfloat16 and cast["weight"].tolist() == [[1.0, 171 / 512]]
    assert cast["bias"] is third and cast["number"] is number
    with pytest.raises(WeightsError, match=r"^weight has values beyond the range of torch.float16: take bfloat16$"):
        cast_weights({"weight": torch.tensor([[7e4]])}, torch.float16)


def test_saved_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "out.pth"
    with pytest.raises(AttributeError):
        save_weights(dict(state_dict={"a": lambda: 0}), path)  # cannot be pickled
    assert not list(tmp_path.iterdir())
    save_weights(dict(state_dict={"a": torch.zeros(1)}), path)
    with pytest.raises(FileExistsError, match="exists already"):
        save_weights({}, path)
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        save_weights({}, tmp_path / "none" / "out.pth")
    assert [file.name for file in tmp_path.iterdir()] == ["out.pth"]
