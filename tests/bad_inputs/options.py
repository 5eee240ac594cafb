"""Options and settings of the command line that cannot be right."""

from .case import Bad

TRAIN = "train config.py --data-root data --work-dir work"
PREDICT = "predict data/JPEGImages config.py {checkpoint} --out out"
EXPORT = "export config.py {checkpoint} --out net.onnx"
TABLE = [
    Bad(
        "top-level",
        "--cfg-options train_cgf.max_iters: the config has no train_cgf, did you mean 'train_cfg'?",
        options="train_cgf.max_iters=3",
    ),
    Bad(
        "top-level-runner",
        "--cfg-options load_form: the config has no load_form, did you mean 'load_from'?",
        options="load_form=a.pth",
    ),
    Bad("top-level-unknown", "--cfg-options something: the config has no something", options="something=3"),
    Bad(
        "inside",
        "--cfg-options env_cfg.cudnn_benchmrk: the config has no cudnn_benchmrk, did you mean 'cudnn_benchmark'?",
        options="env_cfg.cudnn_benchmrk=True",
    ),
    Bad(
        "randomness",
        "--cfg-options randomness.sed: the config has no sed, did you mean 'seed'?",
        options="randomness.sed=3",
    ),
    Bad(
        "randomness-keyword",
        "randomness: set_randomness has no setting 'determinism'",
        options="randomness.determinism=True",
    ),
    Bad(
        "below-a-number",
        "--cfg-options train_cfg.max_iters.x: train_cfg.max_iters is 2, which has no settings",
        options="train_cfg.max_iters.x=3",
    ),
    Bad(
        "beyond-a-list",
        "--cfg-options param_scheduler.7.power: param_scheduler is a list of 1",
        options="param_scheduler.7.power=2",
    ),
    Bad("name-in-a-list", "--cfg-options custom_hooks.ema: custom_hooks is a list of 3", options="custom_hooks.ema=2"),
    Bad("in-place-of-a-dict", "--cfg-options model=3: it is a dict in the config", options="model=3", command=EXPORT),
    Bad(
        "optimizer-as-text", "--cfg-options optim_wrapper=SGD: it is a dict in the config", options="optim_wrapper=SGD"
    ),
    Bad(
        "iterations-as-text",
        "train_cfg.max_iters must be a whole number, 1 or more, got 'abc'",
        options="train_cfg.max_iters=abc",
    ),
    Bad(
        "half-an-iteration",
        "train_cfg.max_iters must be a whole number, 1 or more, got 2.5",
        options="train_cfg.max_iters=2.5",
    ),
    Bad(
        "no-iterations", "train_cfg.max_iters must be a whole number, 1 or more, got 0", options="train_cfg.max_iters=0"
    ),
    Bad(
        "interval",
        "train_cfg.val_interval must be a whole number, 1 or more, got -1",
        options="train_cfg.val_interval=-1",
    ),
    Bad(
        "batch-size",
        "train_dataloader.batch_size must be a whole number, 1 or more, got 0",
        options="train_dataloader.batch_size=0",
    ),
    Bad(
        "batch-size-as-list",
        "batch_size must be a whole number, 1 or more, got [1, 2]",
        options="train_dataloader.batch_size=1,2",
    ),
    Bad(
        "workers",
        "val_dataloader.num_workers must be a whole number, 0 or more, got -2",
        options="val_dataloader.num_workers=-2",
    ),
    Bad(
        "batch-size-of-a-test",
        "test_dataloader.batch_size must be a whole number, 1 or more, got 'all'",
        options="test_dataloader.batch_size=all",
        command="test config.py {checkpoint} --data-root data --work-dir work",
    ),
    Bad(
        "classes",
        "model.decode_head.num_classes must be a whole number, 1 or more, got 2.5",
        options="model.decode_head.num_classes=2.5",
    ),
    Bad(
        "classes-as-text",
        "model.decode_head.num_classes must be a whole number, 1 or more, got 'six'",
        options="model.decode_head.num_classes=six",
        command=EXPORT,
    ),
    Bad("width", "the model of config.py cannot be built: ", options="model.backbone.width=wide", command=PREDICT),
    Bad("depth", "FCNVGG comes in depths [11, 13, 16, 19], got 17", options="model.backbone.depth=17"),
    Bad("precision", "precision must be one of auto, float32, bfloat16, got 'float8'", options="precision=float8"),
    Bad("seed", "randomness.seed must be a whole number, 0 or more, got -1", options="randomness.seed=-1"),
    Bad(
        "list-of-dicts",
        "--cfg-options custom_hooks=EMAHook: it is a list of dicts in the config",
        options="custom_hooks=EMAHook",
    ),
    Bad("log-level", "log_level must be the name of a level, such as 'INFO', got 'LOUD'", options="log_level=LOUD"),
    Bad(
        "launcher",
        "--launcher pytorch: RANK is not set: start it with torchrun or tools/dist_train.sh",
        command=f"{TRAIN} --launcher pytorch",
    ),
    Bad("slurm", "without a GPU, --launcher must be 'pytorch'", command=f"{TRAIN} --launcher slurm"),
    Bad("device", "the device 'tpu' cannot be used: ", command=f"{PREDICT} --device tpu"),
    Bad("device-number", "the device 'cuda:99' cannot be used: ", command=f"{PREDICT} --device cuda:99"),
    Bad("device-to-time", "the device 'tpu' cannot be used: ", command="patches config.py --device tpu"),
    Bad("predict-batch", "the batch size must be at least 1, got 0", command=f"{PREDICT} --batch-size 0"),
    Bad("opacity", "the opacity must be from 0 (the picture alone) to 1, got 3.0", command=f"{PREDICT} --opacity 3"),
    Bad("palette", "there is no data set 'Nowhere'", command=f"{PREDICT} --palette Nowhere"),
    Bad(
        "suffix",
        "the file to write must end in .onnx or .pt2, got net.pth",
        command="export config.py {checkpoint} --out net.pth",
    ),
    Bad("opset", "the opset must be 18 to ", command=f"{EXPORT} --opset 3"),
    Bad("shape", "is exported at more than 64 pixels, got (0, -5)", command=f"{EXPORT} --shape 0 -5"),
    Bad(
        "browse-number",
        "the number of pictures must be at least 1, got 0",
        command="browse config.py --data-root data --out out --number 0",
    ),
    Bad(
        "speed-workers",
        "expected at least 0 workers and more than 0 seconds, got -1",
        command="data-speed config.py --data-root data --workers -1",
    ),
    Bad(
        "speed-seconds",
        "expected at least 0 workers and more than 0 seconds, got 0 and -1.0",
        command="data-speed config.py --data-root data --seconds -1",
    ),
    Bad("map", "there is no feature map 99: ", command="alignment config.py --index 99"),
    Bad(
        "size-to-draw",
        "an image to draw on must have 64 x 64 pixels or more, got (0, 0)",
        command="alignment config.py --out fields.png --size 0 0",
    ),
    Bad(
        "factor",
        "each factor of the downsampling must be 1 or more, got [0]",
        command="oracle data/SegmentationClass --factors 0",
    ),
    Bad(
        "shapes-number",
        "train and val need at least 1 image each, got -1 and 80",
        command="prepare shapes shapes --train -1",
    ),
    Bad("shapes-size", "images must be at least 64x64 pixels, got 3x3", command="prepare shapes shapes --size 3 3"),
    Bad("camvid-workers", "expected 1 worker or more, got 0", command="prepare camvid data out --workers 0"),
    Bad("voc-address", "there is no archive 'nowhere'", command="prepare voc out --url nowhere=http://127.0.0.1"),
    Bad(
        "segmentor-to-the-heat-map",
        "a heat map needs an ImageNet classifier",
        command="heat-map {checkpoint} data/JPEGImages/train_00000.jpg --out map.png",
    ),
    Bad("nothing-to-plot", "there is no directory work", command="plot work --out curves.png --window 4"),
    Bad("report-rows", "the number of rows must be at least 0, got -1", command="report work --rows -1"),
    Bad(
        "patches-stride",
        "the distance of patches must be 1 pixel or more, got -1",
        command="patches config.py --width 0.1 --stride -1",
    ),
]
