"""Settings of a run against each other: what passes, and what is a warning. Errors are in tests/bad_inputs."""

import copy
import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmseg.datasets import BaseSegDataset
from mmseg.registry import TRANSFORMS
from PIL import Image
from testing.utils import POOL4, make_voc, tiny_config

from fcn_plugin.checks import report
from fcn_plugin.checks.run import check_evaluation, check_training
from fcn_plugin.utils.config import read_config

BOTH = ("train_dataloader", "val_dataloader")
ALL = (*BOTH, "test_dataloader")
LOAD = [dict(type="LoadImageFromFile"), dict(type="LoadLabels", palette="PascalVOCDataset")]
PACK = dict(type="PackSegInputs")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Data set and config that tests do not change."""
    folder = tmp_path_factory.mktemp("settings")
    return read_config(tiny_config(folder, make_voc(folder / "voc"), "fcn32s_vgg16_voc"))


@pytest.fixture
def cfg(shared):
    return copy.deepcopy(shared)


@pytest.fixture
def own(cfg, tmp_path):
    """The config, with a copy of the data that a test may change; and its root."""
    root = tmp_path / "voc"
    shutil.copytree(cfg.train_dataloader.dataset.data_root, root)
    for name in ALL:
        cfg[name].dataset.data_root = str(root)
    return cfg, root


@pytest.fixture
def warned(monkeypatch):
    """What was warned of."""
    texts = []
    monkeypatch.setattr(report, "print_log", lambda text, **_: texts.append(text))
    return texts


def check(*cfgs, samples=False):
    check_training(cfgs, [()] * len(cfgs), samples)


def refused(message, cfg, samples=False):
    with pytest.raises(ValueError, match=message):
        check(cfg, samples=samples)


def own_classes(cfg, classes, **head):
    for name in BOTH:
        dataset = cfg[name].dataset
        dataset.update(
            type="BaseSegDataset", metainfo=dict(classes=classes), pipeline=[LOAD[0], dict(type="LoadLabels"), PACK]
        )
    cfg.model.decode_head.update(num_classes=len(classes), **head)


class TestIgnoredIndex:
    def test_another_one_in_all_places(self, cfg):
        cfg.model.decode_head.ignore_index = cfg.model.data_preprocessor.seg_pad_val = 254
        cfg.val_evaluator.ignore_index = 254
        for name in BOTH:
            cfg[name].dataset.ignore_index = 254
            cfg[name].dataset.pipeline[1].ignore_index = 254
        check(cfg)
        cfg.train_dataloader.dataset.pipeline.insert(2, dict(type="RandomCrop", crop_size=(8, 8)))
        refused("255 is that of ignore_index of RandomCrop of train_dataloader.dataset", cfg)

    def test_those_of_a_cascade_and_of_several_data_sets(self, cfg):
        head = dict(type="FCNHead", in_channels=32, in_index=2, channels=4, num_classes=21)
        cascade = [head, dict(head, ignore_index=77)]
        train = cfg.train_dataloader.dataset
        other = dict(copy.deepcopy(train), ignore_index=66)
        cfg.train_dataloader.dataset = dict(type="ConcatDataset", datasets=[train, other])
        cfg.model = dict(
            type="CascadeEncoderDecoder",
            num_stages=2,
            backbone=dict(type="ResNet", depth=18),
            decode_head=[dict(one, in_channels=512, in_index=3) for one in cascade],
            auxiliary_head=[dict(head, in_channels=64, in_index=0, ignore_index=55)],
            test_cfg=dict(mode="whole"),
            data_preprocessor=dict(type="SegDataPreProcessor", size_divisor=1),
        )
        refused(
            "77 is that of model.decode_head.1.ignore_index; 55 is that of model.auxiliary_head.0.ignore_index;"
            " 66 is that of train_dataloader.dataset.datasets.1.ignore_index",
            cfg,
        )

    def test_two_stages_tell_it_once(self, cfg):
        cfg.val_evaluator.ignore_index = 3
        with pytest.raises(ValueError, match="^the ignored index differs"):
            check(cfg, copy.deepcopy(cfg))

    def test_evaluators_in_a_list(self, cfg):
        cfg.val_evaluator = [dict(type="IoUMetric"), dict(type="FCNMetric", ignore_index=9)]
        refused("9 is that of val_evaluator.ignore_index", cfg)
        cfg.val_evaluator = dict(metrics=[dict(type="IoUMetric", ignore_index=8, output_dir="out")])
        refused("8 is that of val_evaluator.ignore_index", cfg)
        assert not os.path.exists("out")

    def test_a_test(self, cfg, tmp_path):
        cfg.load_from = "gone.pth"
        cfg.test_evaluator = dict(type="IoUMetric", ignore_index=9)
        with pytest.raises(ValueError, match="9 is that of test_evaluator.ignore_index"):
            check_evaluation(cfg, "test_dataloader", samples=False)


class TestClasses:
    @pytest.mark.parametrize(
        "head", [{}, dict(out_channels=1, loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=True, _delete_=True))]
    )
    def test_two_classes(self, head, cfg):
        own_classes(cfg, ("a", "b"))
        cfg.merge_from_dict(dict(model=dict(decode_head=head)))
        check(cfg)

    def test_one_class_with_a_comma(self, cfg):
        own_classes(cfg, ("thing",))
        refused("model.decode_head.num_classes=1 leaves nothing to tell apart", cfg)

    def test_a_file_of_names(self, cfg, tmp_path):
        (tmp_path / "names.txt").write_text("a\nb\n")
        own_classes(cfg, ("a", "b"))
        for name in BOTH:
            cfg[name].dataset.metainfo.classes = str(tmp_path / "names.txt")
        check(cfg)

    def test_more_scores(self, cfg, warned):
        cfg.model.decode_head.num_classes = 30
        check(cfg, copy.deepcopy(cfg))
        assert warned == [
            f"decode_head.num_classes is 30, but PascalVOCDataset of {name} has 21 classes" for name in BOTH
        ]

    def test_other_names(self, cfg, warned):
        own_classes(cfg, ("a", "b"))
        cfg.val_dataloader.dataset.metainfo.classes = ("a", "c")
        check(cfg)
        assert warned == ["index 1 is 'b' in train_dataloader.dataset, and 'c' in val_dataloader.dataset"]

    @pytest.mark.parametrize("name", ["weights.npy", "weights.json"])
    def test_weights_in_a_file(self, name, cfg, tmp_path):
        path = tmp_path / name
        np.save(path, np.ones(21)) if path.suffix == ".npy" else path.write_text(str([1] * 21))
        cfg.model.decode_head.loss_decode.class_weight = str(path)
        check(cfg)

    def test_auxiliary_heads(self, cfg):
        skip = dict(type="FCN16sHead", num_classes=21)
        plain = dict(type="FCNHead", in_channels=POOL4, in_index=1, channels=4, num_classes=21)
        cfg.model.backbone.padding, cfg.model.neck.fc6_padding = 1, "same"
        cfg.model.auxiliary_head = [skip, plain]
        check(cfg)
        cfg.model.auxiliary_head[1].in_channels = 99
        refused(rf"auxiliary_head.1: FCNHead has in_channels=99 and in_index=1, .* set in_channels={POOL4}", cfg)


class TestLists:
    @pytest.mark.parametrize(
        "change", [lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n", "  \t\n"), str.strip]
    )
    def test_right_all_the_same(self, change, own):
        """Lines of Windows, blanks at their ends, and a last line without an end."""
        cfg, root = own
        file = root / "ImageSets/Segmentation/train.txt"
        file.write_bytes(change(file.read_text()).encode())
        check(cfg, samples=True)

    def test_sub_directories(self, own):
        cfg, root = own
        for folder in ("JPEGImages", "SegmentationClass"):
            (root / folder / "a b").mkdir()
            for file in (root / folder).glob("image0.*"):
                file.rename(root / folder / "a b" / file.name)
        file = root / "ImageSets/Segmentation/train.txt"
        file.write_text(file.read_text().replace("image0", "a b/image0"))
        check(cfg, samples=True)

    def test_both_lists_are_told(self, own):
        cfg, root = own
        for split in ("train", "val"):
            file = root / f"ImageSets/Segmentation/{split}.txt"
            file.write_bytes(file.read_text().encode("utf-16"))
        refused(r"(?s)^2 problems\n- .*/train.txt is UTF-16.*\n- .*/val.txt is UTF-16", cfg, samples=True)

    def test_no_names_of_other_numbers(self, own):
        """An image that is missing is not taken for its neighbour."""
        cfg, root = own
        (root / "JPEGImages/image1.jpg").unlink()
        refused("missing images: 1\n", cfg, samples=True)

    def test_all_images_of_a_directory(self, own, warned):
        """Those of another suffix are left out, and named."""
        cfg, root = own
        (root / "JPEGImages/image5.jpg").rename(root / "JPEGImages/image5.JPG")
        own_classes(cfg, [f"c{i}" for i in range(21)])
        cfg.train_dataloader.dataset.ann_file = ""
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        check(cfg, samples=True)
        assert warned[0].endswith(
            "do not end in img_suffix='.jpg', and are left out of train_dataloader.dataset: 1 (image5.JPG)"
        )

    def test_a_data_set_that_reads_its_list_itself(self, own):
        from mmseg.registry import DATASETS

        cfg, root = own

        class Own(BaseSegDataset):
            METAINFO = dict(classes=("a", "b"))

            def load_data_list(self):
                with open(self.ann_file, encoding="utf-16") as lines:
                    return [dict(img_path=f"{root}/JPEGImages/{line.strip()}.jpg", seg_map_path=None) for line in lines]

        DATASETS.register_module(module=Own, force=True)
        file = root / "ImageSets/Segmentation/train.txt"
        file.write_bytes(file.read_text().encode("utf-16"))
        own_classes(cfg, ("a", "b"))
        cfg.train_dataloader.dataset.update(type="Own", metainfo=None)
        check(cfg)


class TestTwice:
    def test_images_to_train_and_to_validate(self, own, warned):
        cfg, root = own
        shutil.copy(root / "ImageSets/Segmentation/train.txt", root / "ImageSets/Segmentation/val.txt")
        check(cfg, copy.deepcopy(cfg))
        (text,) = warned
        assert text.startswith("images of val_dataloader.dataset that are also in train_dataloader: 4 of 4 (")
        assert "image0.jpg" in text

    @pytest.mark.parametrize("copied", [shutil.copy, os.symlink, os.link])
    def test_copies_and_links(self, copied, own, warned):
        cfg, root = own
        (root / "val").mkdir()
        file = root / "ImageSets/Segmentation/val.txt"
        file.write_text(file.read_text() + "image0\n")
        for name in ("image4", "image5", "image0"):
            copied(root / f"JPEGImages/{name}.jpg", root / f"val/{name}.jpg")
        cfg.val_dataloader.dataset.data_prefix.img_path = "val"
        check(cfg)
        (text,) = warned
        assert "also in train_dataloader: 1 of 3" in text and "val/image0.jpg" in text

    def test_names_in_a_list(self, own, warned):
        cfg, root = own
        with (root / "ImageSets/Segmentation/train.txt").open("a") as file:
            file.write("image1\nimage1\n")
        check(cfg)
        (text,) = warned
        assert text.startswith("names that are twice in ") and text.endswith("JPEGImages/image1.jpg)")
        assert "train.txt: 1 (" in text


class TestBatches:
    @pytest.fixture
    def sizes(self, own):
        """The second image to validate on is smaller."""
        cfg, root = own
        for path in (root / "JPEGImages/image5.jpg", root / "SegmentationClass/image5.png"):
            with Image.open(path) as picture:
                picture.load()
            picture.crop((0, 0, 40, 32)).save(path)
        cfg.val_dataloader.batch_size = 2
        return cfg

    def test_several_sizes(self, sizes):
        refused(r"val_dataloader.batch_size=2 .*image4.jpg has 48x40, .*image5.jpg has 40x32; set", sizes)

    @pytest.mark.parametrize(
        "step, passes",
        [
            (dict(type="Resize", scale=(32, 32), keep_ratio=False), True),
            (dict(type="Resize", scale=(64, 64), keep_ratio=True), False),
            (dict(type="RandomCrop", crop_size=(16, 16)), True),
            (dict(type="Pad", size=(64, 64)), True),
            (dict(type="Pad", size_divisor=32), False),
        ],
        ids=str,
    )
    def test_what_the_pipeline_makes_of_them(self, step, passes, sizes):
        sizes.val_dataloader.dataset.pipeline = [LOAD[0], LOAD[1], step, PACK]
        check(sizes) if passes else refused("several sizes", sizes)

    def test_one_by_one(self, sizes):
        sizes.val_dataloader.batch_size = 1
        check(sizes)

    def test_orientation(self, own):
        """A picture that is stored turned has the size as which it is shown."""
        cfg, root = own
        picture = Image.open(root / "JPEGImages/image5.jpg").transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(root / "JPEGImages/image5.jpg", exif=exif)
        cfg.val_dataloader.batch_size = 2
        check(cfg)


class TestLoops:
    def test_without_validation(self, cfg):
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        check(cfg, samples=True)

    def test_validation_behind_the_end(self, cfg, warned):
        cfg.train_cfg.val_begin = 1000
        check(cfg)
        assert warned == ["train_cfg.val_begin=1000 lies behind train_cfg.max_iters=4: there will be no validation"]

    def test_windows(self, cfg):
        cfg.model.test_cfg = dict(mode="slide", crop_size=(32, 32), stride=(16, 32))
        check(cfg)


class LoadOwn(BaseTransform):
    """Labels by a class of a user's, that does not derive from the toolbox's."""

    def __init__(self, add=0):
        self.add = add

    def transform(self, results):
        results["gt_seg_map"] = np.array(Image.open(results["seg_map_path"])) + np.uint8(self.add)
        results["seg_fields"].append("gt_seg_map")
        return results


class LoadOwnImage(BaseTransform):
    def transform(self, results):
        results["img"] = np.array(Image.open(results["img_path"]))[..., ::-1]
        results["img_shape"] = results["ori_shape"] = results["img"].shape[:2]
        return results


for kind in (LoadOwn, LoadOwnImage):
    TRANSFORMS.register_module(module=kind, force=True)


class TestLoading:
    """A label of index 77 must be found by whatever loads the labels."""

    @pytest.fixture
    def broken(self, own):
        cfg, root = own
        label = np.array(Image.open(root / "SegmentationClass/image5.png"))
        label[20:, 20:] = 77
        Image.fromarray(label).save(root / "SegmentationClass/image5.png")
        return cfg

    @pytest.mark.parametrize(
        "pipeline",
        [
            [LOAD[0], dict(type="LoadOwn"), PACK],
            [LOAD[0], dict(type=LoadOwn), PACK],
            [LOAD[0], LoadOwn(), PACK],
            [dict(type="LoadOwnImage"), dict(type="LoadOwn"), PACK],
            [dict(type="LoadOwn"), dict(type="LoadOwnImage"), PACK],
            [LOAD[0], dict(type="Resize", scale=(64, 64), keep_ratio=True), dict(type="mmseg.LoadAnnotations"), PACK],
            [dict(type="RandomApply", transforms=LOAD, prob=1.0), PACK],
            [LOAD[0], dict(type="RandomChoice", transforms=[[LOAD[1]], [dict(type="LoadAnnotations")]]), PACK],
            [dict(type="Compose", transforms=[LOAD[0], dict(type="Compose", transforms=[LOAD[1]])]), PACK],
            [LOAD[0], dict(type="RandomApply", transforms=[dict(type="LoadOwn")], prob=1.0), PACK],
        ],
    )
    def test_wherever_and_whatever(self, pipeline, broken):
        broken.val_dataloader.dataset.pipeline = pipeline
        refused(
            r"problems in the data: 1 .*\n.*neither a class nor the ignored index: 1\n.*image5.png: 77", broken, True
        )

    def test_a_step_that_fails(self, broken):
        broken.val_dataloader.dataset.pipeline = [LOAD[0], dict(type="LoadOwn", add="text"), PACK]
        refused(r"the pipeline of val_dataloader.dataset fails on .*image4.jpg: invalid literal", broken)

    def test_in_one_of_several_data_sets(self, broken):
        one = broken.val_dataloader.dataset
        other = dict(copy.deepcopy(one), pipeline=[LOAD[0], dict(type="LoadOwn"), PACK], indices=[0])
        broken.val_dataloader.dataset = dict(type="ConcatDataset", datasets=[other, one])
        refused("problems in the data: 1 .*\n.*\n.*image5.png: 77", broken, True)

    def test_in_the_pipeline_of_a_wrapper(self, broken):
        inner = dict(broken.val_dataloader.dataset, pipeline=[LOAD[0]])
        wrapper = dict(type="MultiImageMixDataset", dataset=inner, pipeline=[LOAD[1], PACK])
        broken.val_dataloader.dataset = wrapper
        refused("problems in the data: 1 .*\n.*\n.*image5.png: 77", broken, True)

    def test_test_sets_need_no_labels(self, cfg):
        """Where no figures are wanted."""
        cfg.test_dataloader.dataset.pipeline = [LOAD[0], PACK]
        cfg.test_evaluator.update(format_only=True, output_dir="out")
        cfg.load_from = "gone.pth"
        with pytest.raises(FileNotFoundError, match="^there is no weight file gone.pth"):
            check_evaluation(cfg, "test_dataloader")


class TestStorages:
    @pytest.fixture
    def server(self, own):
        """The images and labels over HTTP, from the last test's directory."""
        cfg, root = own

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=root))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()

    @pytest.fixture
    def remote(self, own, server):
        cfg, root = own
        prefix = dict(img_path=f"{server}/JPEGImages", seg_map_path=f"{server}/SegmentationClass")
        for name in BOTH:
            classes = [f"c{i}" for i in range(21)]
            cfg[name].dataset.update(type="BaseSegDataset", metainfo=dict(classes=classes), data_prefix=prefix)
        return cfg, root

    def test_http(self, remote):
        cfg, root = remote
        check(cfg, samples=True)
        (root / "SegmentationClass/image5.png").unlink()
        refused(r"labels that cannot be read: 1\n.*http://127.0.0.1:.*image5.png: HTTP Error 404", cfg, True)

    def test_a_data_set_that_cannot(self, remote):
        """The toolbox's asks for directories, of which this storage has none."""
        cfg, _ = remote
        cfg.train_dataloader.dataset.update(type="PascalVOCDataset", metainfo=None)
        refused("the PascalVOCDataset of train_dataloader cannot be built: 'HTTPBackend' object has no attribute", cfg)

    def test_http_in_the_older_way(self, remote):
        cfg, _ = remote
        for name in BOTH:
            cfg[name].dataset.pipeline[0] = dict(type="LoadImageFromFile", file_client_args=dict(backend="http"))
        check(cfg, samples=True)

    def test_a_database(self, own, monkeypatch):
        """Names are keys, and not those of files."""
        from mmengine.fileio.backends import BaseStorageBackend, backends

        cfg, root = own

        class Database(BaseStorageBackend):
            def get(self, filepath):
                return (root / os.path.relpath(filepath, "keys")).read_bytes()

            def get_text(self, filepath):
                return self.get(filepath).decode()

        monkeypatch.setitem(backends, "database", Database)
        for name in BOTH:
            dataset = cfg[name].dataset
            folder = os.path.dirname(dataset.ann_file)
            dataset.update(type="BaseSegDataset", metainfo=dict(classes=[f"c{i}" for i in range(21)]), data_root="keys")
            dataset.ann_file = str(root / folder / os.path.basename(dataset.ann_file))
            dataset.pipeline = [
                dict(type=kind, backend_args=dict(backend="database")) for kind in ("LoadImageFromFile", "LoadLabels")
            ] + [PACK]
        check(cfg, samples=True)
        (root / "JPEGImages/image1.jpg").unlink()
        refused(r"images that cannot be read: 1\n.*keys/JPEGImages/image1.jpg", cfg, True)
