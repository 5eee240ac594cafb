"""Parts of a config that do not mean the same, or cannot be used as they are set."""

import json

from PIL import Image

from .case import Bad, Folder

HEAD = "model.decode_head"
OWN = """
load = [dict(type='LoadImageFromFile'), dict(type='LoadLabels'), dict(type='PackSegInputs')]
own = dict(_delete_=True, type='BaseSegDataset', pipeline=load, metainfo=dict({}),
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'))
train_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/train.txt', **own))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/val.txt', **own))
"""
PIPELINE = """
load = [dict(type='LoadImageFromFile'), dict(type='LoadLabels', palette='ShapesDataset')]
train_dataloader = dict(dataset=dict(pipeline=[*load, {}, dict(type='PackSegInputs')]))
"""
DIFFERS = "the ignored index differs"


def own(metainfo: str, classes: int, config: str = "") -> str:
    """Lines of a config for a data set of one's own."""
    return OWN.format(metainfo) + f"model = dict(decode_head=dict(num_classes={classes}))\n" + config


def weights(name: str, text: str) -> dict:
    """A file of class weights, and the option that names it."""
    prepare = lambda folder: (folder.path / name).write_text(text)  # noqa: E731
    return dict(prepare=prepare, options=f"{HEAD}.loss_decode.class_weight={name}")


def smaller_pictures(folder: Folder) -> None:
    for path in (folder.image("val_00001"), folder.label("val_00001")):
        with Image.open(path) as picture:
            picture.load()
        picture.crop((0, 0, 40, 32)).save(path)


def auxiliary(settings: str) -> str:
    return f"model = dict(auxiliary_head=dict({settings}))"


TABLE = [
    Bad(
        "ignored-of-evaluator",
        (DIFFERS, "254 is that of val_evaluator.ignore_index", "255 is that of model.decode_head.ignore_index"),
        options="val_evaluator.ignore_index=254",
    ),
    Bad("ignored-of-head", (DIFFERS, "254 is that of model.decode_head"), options=f"{HEAD}.ignore_index=254"),
    Bad(
        "ignored-of-data-set",
        (DIFFERS, "254 is that of val_dataloader.dataset.ignore_index"),
        options="val_dataloader.dataset.ignore_index=254",
    ),
    Bad(
        "ignored-of-padding",
        (DIFFERS, "0 is that of model.data_preprocessor.seg_pad_val"),
        options="model.data_preprocessor.seg_pad_val=0",
    ),
    Bad(
        "ignored-of-labels",
        (DIFFERS, "7 is that of ignore_index of LoadLabels of train_dataloader.dataset"),
        options="train_dataloader.dataset.pipeline.1.ignore_index=7",
    ),
    *(
        Bad(f"ignored-of-{name}", (DIFFERS, f"7 is that of {says} of train_dataloader"), config=PIPELINE.format(step))
        for name, says, step in (
            ("crop", "ignore_index of RandomCrop", "dict(type='RandomCrop', crop_size=(32, 32), ignore_index=7)"),
            ("pad", "pad_val['seg'] of Pad", "dict(type='Pad', size=(96, 96), pad_val=dict(img=0, seg=7))"),
            ("rotate", "seg_pad_val of RandomRotate", "dict(type='RandomRotate', prob=1, degree=9, seg_pad_val=7)"),
            ("translate", "seg_pad_val of RandomTranslate", "dict(type='RandomTranslate', seg_pad_val=7)"),
            (
                "cut-out",
                "seg_fill_in of RandomCutOut",
                "dict(type='RandomCutOut', prob=1, n_holes=1, cutout_shape=(4, 4), seg_fill_in=7)",
            ),
            (
                "random-apply",
                "seg_pad_val of RandomTranslate",
                "dict(type='RandomApply', transforms=[dict(type='mmseg.RandomTranslate', seg_pad_val=7)])",
            ),
            (
                "random-choice",
                "pad_val['seg'] of Pad",
                "dict(type='RandomChoice', transforms=[[dict(type='Pad', size=(96, 96), pad_val=dict(seg=7))], []])",
            ),
        )
    ),
    Bad(
        "ignored-of-mosaic",
        (DIFFERS, "7 is that of seg_pad_val of RandomMosaic of train_dataloader.dataset.dataset"),
        config="""
mosaic = dict(type='RandomMosaic', prob=1, img_scale=(64, 80), seg_pad_val=7)
inner = dict(type='ShapesDataset', data_root='data', ann_file='ImageSets/Segmentation/train.txt', pipeline=[
    dict(type='LoadImageFromFile'), dict(type='LoadLabels', palette='ShapesDataset')],
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'))
train_dataloader = dict(dataset=dict(_delete_=True, type='MultiImageMixDataset', dataset=inner,
    pipeline=[mosaic, dict(type='PackSegInputs')]))
""",
    ),
    Bad(
        "ignored-of-loss",
        (DIFFERS, "9 is that of ignore_index of DiceLoss of model.decode_head"),
        config="model = dict(decode_head=dict(loss_decode=dict(_delete_=True, type='DiceLoss', ignore_index=9)))",
    ),
    Bad(
        "ignored-of-auxiliary-head",
        (DIFFERS, "3 is that of model.auxiliary_head.ignore_index"),
        config=auxiliary("type='FCN32sHead', num_classes=6, ignore_index=3"),
    ),
    Bad(
        "ignored-of-classes-left-out",
        (DIFFERS, "255 is that of ", "the classes left out in metainfo of train_dataloader.dataset"),
        config="ignored = 200\nwhat = dict(metainfo=dict(classes=('background', 'disc')), ignore_index=ignored)\n"
        "train_dataloader = dict(dataset=what)\nval_dataloader = dict(dataset=what)\n"
        "model = dict(decode_head=dict(num_classes=2, ignore_index=ignored))",
    ),
    Bad(
        "class-is-ignored",
        ("the ignored index 0 is the index of a class of train_dataloader.dataset, 'a'", "reduce_zero_label=True"),
        config=own("classes=('a', 'b', 'c', 'd', 'e', 'f')", 6)
        + "load[1]['ignore_index'] = own['ignore_index'] = 0\n"
        + "train_dataloader['dataset'].update(ignore_index=0)\nval_dataloader['dataset'].update(ignore_index=0)\n"
        + "model = dict(decode_head=dict(num_classes=6, ignore_index=0), data_preprocessor=dict(seg_pad_val=0))\n"
        + "val_evaluator = dict(ignore_index=0)",
    ),
    Bad(
        "256-classes",
        ("the ignored index 255 is the index of a class of train_dataloader.dataset, 'c255'", "such as 256"),
        config=own("classes=[f'c{i}' for i in range(256)]", 256),
    ),
    Bad("classes-without-comma", "write classes=('fg',), with a comma", config=own("classes=('fg')", 2)),
    Bad("same-class-twice", "classes have the same name twice: a", config=own("classes=('a', 'b', 'a')", 3)),
    Bad("no-classes", "has no classes: give it metainfo=dict(classes=", config=own("", 2)),
    Bad(
        "palette",
        "it has 6 classes and a palette of 2 colours",
        config=own("classes=list('abcdef'), palette=[[0, 0, 0], [9, 9, 9]]", 6),
    ),
    Bad(
        "order-of-classes",
        "index 0 is 'a' in train_dataloader.dataset, and 'b' in val_dataloader.dataset: list the classes in the same",
        config=own("classes=list('abcdef')", 6)
        + "val_dataloader['dataset']['metainfo'] = dict(classes=list('bacdef'))",
    ),
    Bad(
        "one-class",
        ("model.decode_head.num_classes=1 leaves nothing to tell apart", "out_channels=1"),
        config=own("classes=('fg',)", 1),
    ),
    Bad(
        "one-class-by-sigmoid",
        "model.decode_head.num_classes=1 leaves nothing to tell apart",
        config=own("classes=('fg',)", 1)
        + "model['decode_head']['loss_decode'] = dict(_delete_=True, type='CrossEntropyLoss', use_sigmoid=True)",
    ),
    Bad(
        "one-score",
        "model.decode_head.out_channels=1 has one score a pixel, of which PixelCrossEntropyLoss takes a softmax",
        config=own("classes=('a', 'b')", 2) + "model['decode_head'].update(out_channels=1)",
    ),
    Bad(
        "one-score-of-the-toolbox",
        (
            "FCN32sHead: CrossEntropyLoss cannot train a head of 1 score a pixel, with labels of 2 classes",
            "set loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True), or leave out_channels out",
        ),
        config=own("classes=('a', 'b')", 2)
        + "model['decode_head'].update(out_channels=1, loss_decode=dict(_delete_=True, type='CrossEntropyLoss'))",
    ),
    Bad(
        "fewer-scores",
        "decode_head.num_classes is 5, but ShapesDataset of train_dataloader has 6 classes: set",
        options=f"{HEAD}.num_classes=5",
    ),
    Bad(
        "weights-missing",
        "model.decode_head.loss_decode.class_weight='gone.npy': there is no such file",
        options=f"{HEAD}.loss_decode.class_weight=gone.npy",
    ),
    Bad("weights-pickle", "class_weight='w.pkl' is no file of weights", **weights("w.pkl", "")),
    Bad("weights-broken", "class_weight='w.json' cannot be read", **weights("w.json", "[1, 2")),
    Bad("weights-no-numpy", "class_weight='w.npy' cannot be read", **weights("w.npy", "[1, 2]")),
    Bad("weights-in-a-file", "for each of 6 classes, got 2: [1, 2]", **weights("w.json", "[1, 2]")),
    Bad("weights-by-name", "for each of 6 classes, got {'a': 1}", **weights("w.json", json.dumps({"a": 1}))),
    Bad("weights-number", "for each of 6 classes, got 2", options=f"{HEAD}.loss_decode.class_weight=1,2"),
    Bad(
        "weights-negative",
        "numbers of 0 or more, got [1, 1, 1, 1, 1, -1]",
        options=f"{HEAD}.loss_decode.class_weight=1,1,1,1,1,-1",
    ),
    Bad(
        "auxiliary-classes",
        "auxiliary_head.num_classes is 4, but ShapesDataset of train_dataloader has 6 classes",
        config=auxiliary("type='FCN32sHead', num_classes=4"),
    ),
    Bad(
        "auxiliary-channels",
        ("auxiliary_head: FCNHead has in_channels=99 and in_index=1", "set in_channels=128"),
        config=auxiliary("type='FCNHead', in_channels=99, in_index=1, channels=8, num_classes=6"),
    ),
    Bad(
        "auxiliary-index",
        "auxiliary_head: in_index=5 reaches beyond the 3 maps",
        config=auxiliary("type='FCNHead', in_channels=26, in_index=5, channels=8, num_classes=6"),
    ),
    Bad(
        "auxiliary-positions",
        "auxiliary_head: decode_head.geometry says that the feature maps lie at",
        config=auxiliary("type='FCN32sHead', num_classes=6, in_index=[0], geometry=[dict(stride=8, offset=0)]"),
    ),
    Bad(
        "auxiliary-weights",
        "auxiliary_head: class_weight of CrossEntropyLoss must list one weight for each of 6 classes, got 1",
        config=auxiliary(
            "type='FCNHead', in_channels=128, in_index=1, channels=8, num_classes=6, loss_decode=dict("
            "type='CrossEntropyLoss', class_weight=[1.0])"
        ),
    ),
    Bad(
        "figures",
        ("val_evaluator cannot be built", "iou_metrics=['mIuO'] has unknown figures"),
        options="val_evaluator.iou_metrics=[mIuO]",
    ),
    Bad("metric", "val_evaluator.type: there is no 'IuOMetric'", options="val_evaluator.type=IuOMetric"),
    Bad("slide-alone", "needs crop_size and stride", options="model.test_cfg.mode=slide"),
    Bad("slide-no-stride", "stride=None", options="model.test_cfg.mode=slide model.test_cfg.crop_size=(32,32)"),
    Bad(
        "slide-gaps",
        "windows would leave pixels out",
        options="model.test_cfg.mode=slide model.test_cfg.crop_size=(32,32) model.test_cfg.stride=(40,32)",
    ),
    Bad("tile", "got 100: set it to 96 or 128", options="model.test_cfg.mode=tiles model.test_cfg.tile=100"),
    Bad("tiel", "tiel is no setting of mode 'tiles'", options="model.test_cfg.mode=tiles model.test_cfg.tiel=96"),
    Bad("mode", "must be 'whole', 'slide' or 'tiles', got 'wohle'", options="model.test_cfg.mode=wohle"),
    Bad(
        "persistent-workers",
        "train_dataloader.persistent_workers=True needs workers: set train_dataloader.num_workers to 1 or more",
        options="train_dataloader.persistent_workers=True",
    ),
    Bad(
        "prefetch",
        "val_dataloader.prefetch_factor=2 needs workers",
        options="val_dataloader.prefetch_factor=2",
    ),
    Bad("batch-of-none", "train_dataloader.batch_size must be", options="train_dataloader.batch_size=0"),
    Bad("half-a-worker", "val_dataloader.num_workers must be", options="val_dataloader.num_workers=0.5"),
    Bad(
        "sizes-in-a-batch",
        ("val_dataloader.batch_size=2 puts images of several sizes into a batch", "val_00001.jpg has 40x32", "Resize"),
        options="val_dataloader.batch_size=2",
        prepare=smaller_pictures,
    ),
    Bad(
        "no-sampler",
        "val_dataloader has no sampler",
        config="val_dataloader = dict(_delete_=True, batch_size=1, dataset=dict(type='ShapesDataset', data_root='data',"
        " ann_file='ImageSets/Segmentation/val.txt', data_prefix=dict(img_path='JPEGImages',"
        " seg_map_path='SegmentationClass'), pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadLabels'),"
        " dict(type='PackSegInputs')]))",
    ),
    Bad(
        "val-dataloader-alone",
        "config.py has no val_cfg, which a validation needs: set it, or val_dataloader and val_evaluator to None",
        options="val_cfg=None",
    ),
    Bad(
        "val-cfg-alone",
        "has no val_dataloader and no val_evaluator, which a validation needs: set them, or val_cfg to None",
        options="val_dataloader=None val_evaluator=None",
    ),
    Bad("test-alone", "config.py has no test_evaluator, which a test needs", options="test_evaluator=None"),
    Bad("sampler", "train_dataloader.sampler.type: there is no 'Nope'", options="train_dataloader.sampler.type=Nope"),
    Bad("metainfo", "metainfo must be dict(classes=..., palette=...)", options="val_dataloader.dataset.metainfo=3"),
    Bad("max-iters", "train_cfg.max_iters must be a whole number", options="train_cfg.max_iters=abc"),
    Bad("val-interval", "train_cfg.val_interval must be", options="train_cfg.val_interval=0"),
    Bad(
        "no-labels-loaded",
        "no step of the pipeline of train_dataloader.dataset loads labels: add dict(type='LoadLabels')",
        config="train_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'),"
        " dict(type='PackSegInputs')]))",
    ),
    Bad(
        "no-images-loaded",
        "no step of the pipeline of val_dataloader.dataset loads images: add dict(type='LoadImageFromFile')",
        config="val_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadLabels'), dict(type='PackSegInputs')]))",
    ),
    Bad(
        "no-such-step",
        "train_dataloader.dataset.pipeline.0.type: there is no 'LoadLabel' among the toolbox's transforms, did you",
        config="train_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadLabel')]))",
    ),
    Bad(
        "no-padding",
        "model.data_preprocessor has neither of size and size_divisor",
        options="model.data_preprocessor.size_divisor=None",
    ),
]
