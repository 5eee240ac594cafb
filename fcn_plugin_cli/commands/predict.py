"""Predict pictures and videos with a trained model: class indices, the classes painted over, probabilities and more."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from .options import add_cfg_options, add_config

EXAMPLES = (
    "fcn predict city.tif configs/fcn8s_vgg16_voc.py fcn8s.pth --out predicted --tile 1024 --save labels geojson",
    "fcn predict photo.jpg configs/fcn8s_vgg16_voc.py fcn8s.pth --out predicted",
    "fcn predict pictures/ film.mp4 configs/fcn8s_vgg16_voc.py fcn8s.pth --out predicted --batch-size 4 --frames",
)

KINDS = ["labels", "overlays", "probabilities", "confidence", "logits", "geojson", "coco"]
INTERRUPTED = "Interrupted. What is in {out} is whole."


def add_arguments(parser: ArgumentParser) -> None:
    """Add what to predict, with what, and how to write it."""
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="pictures, videos, folders of pictures, and patterns in quotes"
    )
    add_config(parser)
    parser.add_argument("weights", help="weight file that fits the config")
    parser.add_argument(
        "--out",
        "--out-dir",
        required=True,
        type=Path,
        metavar="DIR",
        help="for labels/NAME.png and the like",
    )
    parser.add_argument("--batch-size", type=int, default=1, metavar="N", help="pictures of a size to predict together")
    parser.add_argument("--device", help="for example cpu or cuda:1; default: a GPU, if there is one")
    parser.add_argument(
        "--tile",
        type=pixels_or_auto,
        metavar="N",
        help="predict in tiles of N pixels, or 'auto', with the labels of the whole; TIFFs window by window",
    )
    parser.add_argument("--tta", action="store_true", help="test-time augmentation: three scales, mirrored")
    parser.add_argument("--opacity", type=float, default=0.5, help="of the colours of the classes, 0 to 1; default 0.5")
    parser.add_argument(
        "--class-names", "--with-labels", action="store_true", help="write the names of the classes into the overlays"
    )
    parser.add_argument(
        "--palette", metavar="DATASET", help="names and colours of a data set, in place of the weights' or the config's"
    )
    parser.add_argument(
        "--save", nargs="+", choices=KINDS, default=KINDS[:2], metavar="KIND", help=f"of {', '.join(KINDS)}"
    )
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="of which all but labels are saved")
    parser.add_argument(
        "--save-type", choices=["uint8", "float16"], default="uint8", help="of probabilities and confidence"
    )
    parser.add_argument("--confidence", choices=["entropy", "margin"], default="entropy", help="its measure")
    parser.add_argument(
        "--format", choices=["png", "tiff", "npz"], help="of what is saved; default: npz, PNG of labels and overlays"
    )
    parser.add_argument("--no-overlay", action="store_true", help="write no overlays")
    parser.add_argument("--no-png", action="store_true", help="write no labels")
    parser.add_argument("--frames", action="store_true", help="write PNGs of class indices of videos' frames, too")
    add_cfg_options(parser)


def pixels_or_auto(text: str) -> int | str:
    """Read the value of --tile."""
    return text if text == "auto" else int(text)


def run(args: Namespace) -> None:
    """Predict, and say what was written; raises ValueError if some could not be predicted."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fcn_plugin.apis.inference.polygon_writer import PolygonWriter
    from fcn_plugin.apis.inference.predictor import Predictor
    from fcn_plugin.apis.inference.run import Inference, Step
    from fcn_plugin.apis.inference.sources import check_order, find_sources
    from fcn_plugin.apis.inference.writer import PredictionWriter
    from fcn_plugin.utils.files import check_writable

    check_order(args.config, args.weights)
    check_writable(args.out)
    sources = find_sources(args.sources, args.out)
    options = dict(device=args.device, tta=args.tta, dataset=args.palette)
    tiles = {"model.test_cfg.mode": "tiles", "model.test_cfg.tile": args.tile} if args.tile else {}
    predictor = Predictor.from_files(args.config, args.weights, {**args.cfg_options, **tiles}, **options)
    outputs = predictor.outputs(args.save, chosen=args.classes, save_type=args.save_type, measure=args.confidence)
    polygons = [kind for kind in ("geojson", "coco") if kind in args.save]
    meta = predictor.dataset_meta
    what = dict(
        overlays="overlays" in args.save and not args.no_overlay,
        labels="labels" in args.save and not args.no_png,
        class_names=args.class_names,
        outputs=outputs,
        format=args.format,
        polygons=polygons
        and PolygonWriter(args.out, meta["classes"], polygons, args.classes, meta.get("reduce_zero_label", False)),
    )
    writer = PredictionWriter(args.out, meta, args.opacity, **what)
    failed, finished = [], 0
    columns = TextColumn("Predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(sources))

        def on_step(step: Step) -> None:
            nonlocal finished
            progress.update(bar, completed=finished + step.share)
            finished += step.share == 1
            if text := step.problem or step.remark:
                progress.console.print(f"{step.source.path}: {text}", markup=False, highlight=False, soft_wrap=True)
            if step.problem:
                failed.append(str(step.source.path))

        Inference(predictor, writer, on_step, args.batch_size, args.frames)(sources)
    if len(failed) < len(sources):
        print(f"Predicted {len(sources) - len(failed)} of {len(sources)} in {args.out}.")
    if failed:
        raise ValueError(f"{len(failed)} of {len(sources)} could not be predicted: {', '.join(failed[:20])}")
