import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.apis import inference_model, init_model
from mmseg.registry import MODELS
from PIL import Image
from testing.inference_files import META, picture, write_picture, write_weights
from testing.utils import tiny_config
from testing.weight_files import fcn_weights, reference_weights, torchvision_names

from fcn_plugin.apis.inference.predictor import Predictor
from fcn_plugin.apis.model import prediction_pipeline, usable_device
from fcn_plugin.datasets import CamVidDataset
from fcn_plugin.weights.checkpoint import WeightsError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A config whose data is nowhere, and weights."""
    folder = tmp_path_factory.mktemp("model")
    config = tiny_config(folder, folder / "nowhere", "fcn8s_vgg16_voc")
    return str(config), str(write_weights(config, folder / "weights.pth"))


@pytest.fixture(scope="module")
def predictor(files):
    return Predictor.from_files(*files, device="cpu")


@pytest.fixture(scope="module")
def toolbox(files):
    """What the toolbox itself predicts."""
    model = init_model(*files, device="cpu")
    return lambda path: inference_model(model, str(path)).pred_sem_seg.data[0].numpy()


def labels_of(predictor, path):
    (labels,) = predictor.predict([predictor.read(path)])
    return labels


def test_pictures(predictor, toolbox, tmp_path):
    assert predictor.dataset_meta == META["dataset_meta"]
    for number, size in enumerate([(40, 48), (1, 1), (17, 90)]):
        image = write_picture(tmp_path / f"{number}.png", number, size)
        sample = predictor.read(tmp_path / f"{number}.png")
        assert np.array_equal(sample.image, image)
        (labels,) = predictor.predict([sample])
        assert labels.dtype == np.uint8 and labels.shape == size
        assert np.array_equal(labels, toolbox(tmp_path / f"{number}.png"))
        assert len(np.unique(labels)) > (1 if number != 1 else 0)
        assert np.array_equal(predictor.predict([predictor.prepare(image)])[0], labels)


def test_batch(predictor, tmp_path):
    """The same as one by one; of different sizes, refused."""
    samples = [predictor.prepare(picture(seed)) for seed in range(3)]
    together = predictor.predict(samples)
    alone = [predictor.predict([sample])[0] for sample in samples]
    assert all(np.array_equal(a, b) for a, b in zip(together, alone)) and not np.array_equal(*alone[:2])
    other = predictor.prepare(picture(0, (48, 40)))
    assert other.sizes != samples[0].sizes == samples[1].sizes
    with pytest.raises(ValueError, match="samples of different sizes cannot be predicted together"):
        predictor.predict([samples[0], other])


def test_kinds_of_pictures(predictor, toolbox, tmp_path):
    """16 bits are reduced to 8, grey is colour, transparency is passed over, as the toolbox has it."""
    image = picture(3)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    as_colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    alpha = np.dstack([image, picture(4)[..., 0]])
    kinds = {
        "colour16": (image.astype(np.uint16) * 257, image),
        "grey16": (grey.astype(np.uint16) * 257, as_colour),
        "grey": (grey, as_colour),
        "alpha": (alpha, image),
    }
    for name, (stored, expected) in kinds.items():
        path = tmp_path / f"{name}.png"
        assert cv2.imwrite(str(path), stored)
        assert np.array_equal(predictor.read(path).image, expected), name
        assert np.array_equal(labels_of(predictor, path), toolbox(path)), name


def test_exif_orientation(predictor, toolbox, tmp_path):
    """A picture lying on its side is predicted as it is shown."""
    image = picture(5)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image[..., ::-1]).save(tmp_path / "turned.png", exif=exif)
    sample = predictor.read(tmp_path / "turned.png")
    assert np.array_equal(sample.image, np.rot90(image, -1))
    assert np.array_equal(labels_of(predictor, tmp_path / "turned.png"), toolbox(tmp_path / "turned.png"))


@pytest.mark.parametrize("content", [b"", b"no picture", "half"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_broken_picture(content, suffix, predictor, tmp_path):
    path = tmp_path / f"broken{suffix}"
    write_picture(path)
    path.write_bytes(path.read_bytes()[:200] if content == "half" else content)
    with pytest.raises(ValueError, match="^truncated, or no picture that can be read$"):
        predictor.read(path)


def test_pipeline_that_resizes(files, tmp_path):
    """Predictions are as large as the picture; those of one input size, but another size, are apart."""
    resize = dict(type="Resize", scale=(32, 32), keep_ratio=False)
    steps = [dict(type="LoadImageFromFile"), resize, dict(type="LoadAnnotations"), dict(type="PackSegInputs")]
    options = {"test_dataloader.dataset.pipeline": steps, "test_pipeline": steps}
    predictor = Predictor.from_files(*files, options, device="cpu")
    one, two = (predictor.prepare(picture(0, size)) for size in ((40, 48), (64, 20)))
    assert one.packed["inputs"].shape == two.packed["inputs"].shape == (3, 32, 32) and one.sizes != two.sizes
    assert predictor.predict([two])[0].shape == (64, 20)
    model = init_model(files[0], files[1], device="cpu", cfg_options=options)
    expected = inference_model(model, picture(0, (64, 20))).pred_sem_seg.data[0].numpy()
    assert np.array_equal(predictor.predict([two])[0], expected)


def test_grey_pipeline(files):
    """A config that reads grey pictures; the overlay is in colour."""
    steps = [dict(type="LoadImageFromFile", color_type="grayscale"), dict(type="PackSegInputs")]
    predictor = Predictor.from_files(*files, {"test_dataloader.dataset.pipeline": steps}, device="cpu")
    sample = predictor.prepare(picture()[..., 0])
    assert sample.image.shape == (40, 48, 3) and (sample.image == picture()[..., :1]).all()
    assert sample.packed["inputs"].shape == (1, 40, 48)


def test_tta(files, tmp_path):
    """As the mean of the probabilities of the mirrored and scaled pictures; of batches, too."""
    predictor = Predictor.from_files(*files, device="cpu", tta=True)
    samples = [predictor.prepare(picture(seed)) for seed in range(2)]
    together = predictor.predict(samples)
    mean = torch.zeros(21, 40, 48)
    for scale in (0.75, 1, 1.25):
        for mirrored in (False, True):
            size = (int(48 * scale + 0.5), int(40 * scale + 0.5))
            scaled = cv2.resize(picture(1), size, interpolation=cv2.INTER_LINEAR)
            inputs = torch.from_numpy(np.ascontiguousarray(scaled[:, ::-1] if mirrored else scaled)).permute(2, 0, 1)
            data = predictor.model.module.data_preprocessor(dict(inputs=[inputs]))
            with torch.no_grad():
                logits = predictor.model.module(data["inputs"])
            logits = logits.flip(3) if mirrored else logits
            mean += torch.nn.functional.interpolate(logits, (40, 48), mode="bilinear")[0].softmax(0) / 6
    first, second = mean.topk(2, dim=0).values
    clear = (first - second > 1e-6).numpy()  # where rounding decides nothing
    assert clear.mean() > 0.9 and np.array_equal(together[1][clear], mean.argmax(0).numpy()[clear])
    assert np.array_equal(together[1], predictor.predict(samples[1:])[0])
    plain = Predictor.from_files(*files, device="cpu")
    assert not np.array_equal(plain.predict([plain.prepare(picture(1))])[0], together[1])


def test_published_weights(files, tmp_path):
    """Those of pytorch-fcn as they are, with the names and colours of the config's data set."""
    torch.save(fcn_weights([4, 3]), tmp_path / "fcn8s.pth")
    predictor = Predictor.from_files(files[0], str(tmp_path / "fcn8s.pth"), device="cpu")
    expected = fcn_weights([4, 3])["score_fr.weight"]
    assert torch.equal(predictor.model.decode_head.score_fr.weight, expected)
    assert predictor.dataset_meta["classes"][:2] == ["background", "aeroplane"]
    assert predictor.dataset_meta["palette"][1] == [128, 0, 0]


def test_palette_of_another_data_set(files, tmp_path):
    options = {"model.decode_head.num_classes": 11}
    cfg = Config.fromfile(files[0])
    cfg.merge_from_dict(options)
    cfg.dump(tmp_path / "config.py")
    weights = write_weights(tmp_path / "config.py", tmp_path / "weights.pth", {})
    predictor = Predictor.from_files(files[0], str(weights), options, device="cpu", dataset="CamVidDataset")
    assert predictor.dataset_meta["classes"] == list(CamVidDataset.METAINFO["classes"])


@pytest.mark.parametrize(
    "options, kwargs, error, message",
    [
        ({"model.decode_head.num_classes": 7}, {}, WeightsError, "the checkpoint has 21 classes, the config 7"),
        ({"model.backbone.width": 0.1}, {}, ValueError, "cannot be built|does not fit|channels"),
        ({}, dict(device="cuda:99"), ValueError, "the device 'cuda:99' cannot be used"),
        ({}, dict(device="toaster"), ValueError, "the device 'toaster' cannot be used"),
        ({}, dict(dataset="ShapesDataset"), ValueError, "ShapesDataset has 6 classes, the model 21"),
        ({"tta_pipeline": None}, dict(tta=True), ValueError, "has no test-time augmentation"),
        ({"model": dict(_delete_=True, type="Nothing")}, {}, ValueError, "Nothing"),
        (
            {"test_dataloader.dataset.pipeline": [dict(type="PackSegInputs")]},
            {},
            ValueError,
            "begins with PackSegInputs, expected LoadImageFromFile",
        ),
    ],
)
def test_wrong_settings(options, kwargs, error, message, files):
    with pytest.raises(error, match=message):
        Predictor.from_files(*files, options, **{"device": "cpu", **kwargs})


def test_wrong_weights(files, tmp_path):
    """Of a classifier, of an earlier stage, and of other preprocessing."""
    classifier = tmp_path / "vgg16.pth"
    torch.save(torchvision_names(reference_weights()), classifier)
    with pytest.raises(WeightsError, match="vgg16.pth has no decode head, so it is no segmentor"):
        Predictor.from_files(files[0], str(classifier), device="cpu")
    earlier = tmp_path / "fcn16s.pth"
    torch.save(fcn_weights([4]), earlier)
    with pytest.raises(WeightsError, match=r"does not fit the config \(missing: decode_head.score_pool3"):
        Predictor.from_files(files[0], str(earlier), device="cpu")
    other = dict(META, preprocessing=dict(bgr_to_rgb=True, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]))
    write_weights(files[0], tmp_path / "rgb.pth", other)
    with pytest.raises(WeightsError, match=r"rgb.pth expects RGB images.* but the config gives BGR"):
        Predictor.from_files(files[0], str(tmp_path / "rgb.pth"), device="cpu")


def test_given_config_is_not_changed(files):
    cfg = Config.fromfile(files[0])
    before = cfg.to_dict()
    Predictor(cfg, files[1], "cpu", tta=True)
    assert cfg.to_dict() == before


def test_pipeline_without_labels():
    load, pack = dict(type="LoadImageFromFile"), dict(type="PackSegInputs")
    labels = [dict(type="LoadAnnotations")], [dict(type="LoadLabels")]
    tta = dict(type="TestTimeAug", transforms=[[dict(type="Resize", scale_factor=1)], *labels, [pack]])
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[load, labels[0][0], labels[1][0], tta]))))
    assert prediction_pipeline(cfg) == [load, {**tta, "transforms": [tta["transforms"][0], [pack]]}]
    assert prediction_pipeline(Config(dict(test_pipeline=[load, pack]))) == [load, pack]
    assert prediction_pipeline(Config(dict(tta_pipeline=[load, tta], test_pipeline=[pack])), tta=True)[1] != tta
    with pytest.raises(ValueError, match="has no test_dataloader.dataset.pipeline"):
        prediction_pipeline(Config(dict(model={})))


def test_default_device():
    assert usable_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_no_model():
    with pytest.raises(ValueError, match="has no model: give the config of an experiment"):
        Predictor(Config(dict(data_root="x")), "weights.pth")


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (2, 3)])
def test_narrow_pictures(size, tta, files):
    """Of a single column, too, which a mirrored picture has from behind."""
    predictor = Predictor.from_files(*files, device="cpu", tta=tta)
    (labels,) = predictor.predict([predictor.prepare(picture(0, size))])
    assert labels.shape == size


def test_arrays(predictor):
    """BGR, or RGB if it is said; what the network would take for something else is refused."""
    image = picture(2)
    (expected,) = predictor.predict([predictor.prepare(image)])
    (same,) = predictor.predict([predictor.prepare(np.ascontiguousarray(image[..., ::-1]), channel_order="rgb")])
    (other,) = predictor.predict([predictor.prepare(image, channel_order="rgb")])
    assert np.array_equal(same, expected) and not np.array_equal(other, expected)
    for wrong in (image / 255, image.transpose(2, 0, 1), image[..., 0], torch.from_numpy(image), str(image)):
        with pytest.raises((TypeError, ValueError), match="expected a picture, BGR"):
            predictor.prepare(wrong)
    with pytest.raises(ValueError, match="channel_order must be 'bgr' or 'rgb', got 'RGB'"):
        predictor.prepare(image, "RGB")


def test_values_of_a_float_tiff(predictor, tmp_path):
    assert cv2.imwrite(str(tmp_path / "float.tif"), np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match="its values are float32 from 0 to 0, where pictures have 8 or 16 bits"):
        predictor.read(tmp_path / "float.tif")


@pytest.fixture(scope="module")
def grey(files, tmp_path_factory):
    """Settings of a network of grey pictures, and weights."""
    folder = tmp_path_factory.mktemp("grey")
    steps = [dict(type="LoadImageFromFile", color_type="grayscale"), dict(type="PackSegInputs")]
    options = {
        "model.backbone.in_channels": 1,
        "model.data_preprocessor.mean": [120.0],
        "model.data_preprocessor.std": [60.0],
        "test_dataloader.dataset.pipeline": steps,
    }
    cfg = Config.fromfile(files[0])
    cfg.merge_from_dict(options)
    cfg.dump(folder / "grey.py")
    init_default_scope("mmseg")
    model = MODELS.build(cfg.model)
    torch.manual_seed(0)
    for parameter in model.decode_head.score_fr.parameters():
        torch.nn.init.normal_(parameter)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / "grey.pth")
    return str(folder / "grey.py"), str(folder / "grey.pth")


@pytest.mark.parametrize("tta", [False, True])
def test_grey_network(grey, tta, tmp_path):
    """Pictures are read as its pipeline says, also with augmentation; colour arrays, as of videos, are made grey."""
    predictor = Predictor.from_files(*grey, device="cpu", tta=tta)
    image = write_picture(tmp_path / "colour.png", 1)
    sample = predictor.read(tmp_path / "colour.png")
    inputs = sample.packed["inputs"][0] if tta else sample.packed["inputs"]
    assert inputs.shape[0] == 1 and sample.image.shape == image.shape and np.ptp(sample.image, axis=2).max() == 0
    (labels,) = predictor.predict([sample])
    for array in (image, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)):
        assert np.array_equal(predictor.predict([predictor.prepare(array)])[0], labels)
    with pytest.raises(ValueError, match=r"expected a picture, grey \(H, W\), .* got the shape \(40, 48, 4\)"):
        predictor.prepare(np.zeros((40, 48, 4), np.uint8))
