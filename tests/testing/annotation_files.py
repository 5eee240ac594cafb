"""The same small set of pictures, annotated in every form: boxes, which all rasterise alike."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = "background", "car", "road"
COLOURS = (0, 0, 0), (90, 100, 110), (200, 30, 40)  # masks in colours have their classes in this order
#: By picture: (width, height), and objects from below to the top: class, left, top, right, bottom.
SCENES = {
    "one.png": ((13, 9), [(2, 0, 4, 13, 9), (1, 3, 2, 8, 6)]),
    "two words.jpg": ((8, 12), [(1, 2, 1, 5, 11), (2, 4, 6, 8, 12), (1, 0, 0, 1, 1)]),
    "sub/three.png": ((10, 10), [(1, 1, 1, 9, 9), (2, 3, 3, 6, 5)]),
}


def labels_of(name: str) -> np.ndarray:
    """Class indices of a picture, uint8 (H, W)."""
    (width, height), objects = SCENES[name]
    labels = np.zeros((height, width), np.uint8)
    for index, left, top, right, bottom in objects:
        labels[top:bottom, left:right] = index
    return labels


def object_mask(name: str, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    width, height = SCENES[name][0]
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def save_pictures(folder: Path) -> Path:
    for name, (size, _) in SCENES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (120, 130, 140)).save(folder / name)
    return folder


def corners(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def runs(mask: np.ndarray) -> list[int]:
    """Lengths of runs of a flat mask, the first of False."""
    flat = np.concatenate([[False], mask.ravel()])
    changes = np.flatnonzero(np.concatenate([flat[1:] != flat[:-1], [True]]))
    return np.diff(np.concatenate([[0], changes])).tolist()


def compressed(counts: list[int]) -> str:
    """COCO's text of lengths of runs."""
    text = ""
    for place, number in enumerate(counts):
        number -= counts[place - 2] if place > 2 else 0
        more = True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


def brush(mask: np.ndarray) -> list[int]:
    """Bytes of Label Studio's brush: every run of opacities, four times its pixels, of up to 256 values."""
    values = np.repeat(mask.ravel(), 4) * 255
    bits = f"{values.size:032b}{7:05b}{3:04b}{4:04b}{7:04b}{15:04b}"
    ends = [*(np.flatnonzero(np.diff(values)) + 1), values.size]
    for start, end in zip([0, *ends], ends):
        while start < end:
            length = min(end - start, 256)
            if length == 1:
                bits += f"0{0:02b}{0:04b}{values[start]:08b}"
            else:
                bits += f"1{2:02b}{length - 1:08b}{values[start]:08b}"
            start += length
    return list(int(bits.ljust(-len(bits) % 8 + len(bits), "0"), 2).to_bytes((len(bits) + 7) // 8, "big"))


def write_coco(folder: Path, segmentation: Callable) -> Path:
    categories = [{"id": 10 * index, "name": NAMES[index]} for index in (1, 2)]
    content = {"images": [], "annotations": [], "categories": categories}
    for number, (name, ((width, height), objects)) in enumerate(SCENES.items(), 1):
        content["images"].append({"id": number, "file_name": name, "width": width, "height": height})
        for index, left, top, right, bottom in objects:
            outline = {"segmentation": segmentation(name, left, top, right, bottom), "iscrowd": 0}
            size = {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
            of = {"id": len(content["annotations"]) + 1, "image_id": number, "category_id": 10 * index}
            content["annotations"].append({**of, **outline, **size})
    return write(folder / "instances.json", content)


def coco_polygons(folder: Path) -> Path:
    return write_coco(folder, lambda name, *box: [np.ravel(corners(*box)).tolist()])


def coco_runs(folder: Path) -> Path:
    def counts(name: str, *box: int) -> dict:
        mask = object_mask(name, *box)
        return {"size": list(mask.shape), "counts": runs(mask.T)}

    return write_coco(folder, counts)


def coco_compressed(folder: Path) -> Path:
    def counts(name: str, *box: int) -> dict:
        mask = object_mask(name, *box)
        return {"size": list(mask.shape), "counts": compressed(runs(mask.T))}

    return write_coco(folder, counts)


def labelme(folder: Path, shape: Callable) -> Path:
    for name, ((width, height), objects) in SCENES.items():
        shapes = [{"label": NAMES[index], **shape(name, *box)} for index, *box in objects]
        content = {"shapes": shapes, "imagePath": f"..\\pictures\\{name}", "imageData": None}
        write(folder / Path(name).with_suffix(".json"), {**content, "imageHeight": height, "imageWidth": width})
    return folder


def labelme_polygons(folder: Path) -> Path:
    return labelme(folder, lambda name, *box: {"points": corners(*box), "shape_type": "polygon"})


def labelme_rectangles(folder: Path) -> Path:
    return labelme(folder, lambda name, *box: {"points": [box[2:], box[:2]], "shape_type": "rectangle"})


def labelme_masks(folder: Path) -> Path:
    def mask(name: str, left: int, top: int, right: int, bottom: int) -> dict:
        file = io.BytesIO()
        Image.new("L", (right - left, bottom - top), 255).save(file, "PNG")
        points = [(left, top), (right - 1, bottom - 1)]
        return {"points": points, "shape_type": "mask", "mask": base64.b64encode(file.getvalue()).decode()}

    return labelme(folder, mask)


def cvat_masks(folder: Path) -> Path:
    lines = [f"{name}:{','.join(map(str, colour))}::" for name, colour in zip(NAMES, COLOURS)]
    write(folder / "labelmap.txt", "\n".join(["# label:color_rgb:parts:actions", *lines, ""]))
    for name in SCENES:
        for kind in ("SegmentationClass", "SegmentationObject"):
            path = folder / kind / Path(name).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array(COLOURS, np.uint8)[labels_of(name)]).save(path)
    write(folder / "ImageSets" / "Segmentation" / "default.txt", "\n".join(Path(name).stem for name in SCENES))
    return folder


def cvat_xml(folder: Path, shape: Callable) -> Path:
    labels = "".join(
        f"<label><name>{name}</name><color>#{bytes(colour).hex()}</color></label>"
        for name, colour in zip(NAMES[1:], COLOURS[1:])
    )
    images = ""
    for number, (name, ((width, height), objects)) in enumerate(SCENES.items()):
        shapes = "".join(  # in the file, the top comes first
            shape(f'label="{NAMES[index]}" occluded="0" z_order="{order}"', name, *box)
            for order, (index, *box) in reversed(list(enumerate(objects)))
        )
        images += f'<image id="{number}" name="{name}" width="{width}" height="{height}">{shapes}</image>'
    meta = f"<version>1.1</version><meta><task><labels>{labels}</labels></task></meta>"
    return write(folder / "annotations.xml", f"<?xml version='1.0'?><annotations>{meta}{images}</annotations>")


def cvat_polygons(folder: Path) -> Path:
    def polygon(attributes: str, name: str, *box: int) -> str:
        return f'<polygon {attributes} points="{";".join(f"{x:.2f},{y:.2f}" for x, y in corners(*box))}"></polygon>'

    return cvat_xml(folder, polygon)


def cvat_boxes(folder: Path) -> Path:
    return cvat_xml(
        folder, lambda attributes, name, *box: "<box {} xtl='{}' ytl='{}' xbr='{}' ybr='{}'/>".format(attributes, *box)
    )


def cvat_runs(folder: Path) -> Path:
    def mask(attributes: str, name: str, left: int, top: int, right: int, bottom: int) -> str:
        counts = ", ".join(map(str, runs(np.ones((bottom - top, right - left), bool))))
        place = f'left="{left}" top="{top}" width="{right - left}" height="{bottom - top}"'
        return f'<mask {attributes} rle="{counts}" {place}></mask>'

    return cvat_xml(folder, mask)


def roboflow(folder: Path) -> Path:
    for place, name in zip(("train", "train", "valid"), SCENES):
        path = Path(name)
        stem = f"{path.stem}_{path.suffix[1:]}.rf.0123abcd"
        (folder / place).mkdir(parents=True, exist_ok=True)
        write(folder / place / "_classes.csv", "Pixel Value, Class\n0, background\n1, car\n2, road\n")
        Image.fromarray(labels_of(name)).save(folder / place / f"{stem}_mask.png")
    return folder


def label_studio(folder: Path, value: Callable) -> Path:
    tasks = []
    for number, (name, ((width, height), objects)) in enumerate(SCENES.items(), 1):
        size = {"original_width": width, "original_height": height, "image_rotation": 0}
        results = []
        for index, *box in objects:
            kind, region = value(name, *box)
            result = {"id": f"r{len(results)}", "type": kind, "from_name": "tag", "to_name": "image"}
            results.append({**result, **size, "value": {**region, kind: [NAMES[index]]}})
        address = f"/data/upload/1/0a1b2c3{number}-{Path(name).name.replace(' ', '%20')}"
        annotations = [{"id": number, "was_cancelled": False, "result": results}]
        tasks.append({"id": number, "data": {"image": address}, "annotations": annotations})
    return write(folder / "project-1.json", tasks)


def label_studio_brush(folder: Path) -> Path:
    return label_studio(
        folder, lambda name, *box: ("brushlabels", {"format": "rle", "rle": brush(object_mask(name, *box))})
    )


def percent(name: str, points: list) -> np.ndarray:
    return np.array(points) * 100 / SCENES[name][0]


def label_studio_polygons(folder: Path) -> Path:
    return label_studio(
        folder, lambda name, *box: ("polygonlabels", {"points": percent(name, corners(*box)).tolist(), "closed": True})
    )


def label_studio_rectangles(folder: Path) -> Path:
    def rectangle(name: str, *box: int) -> tuple[str, dict]:
        (left, top), (right, bottom) = percent(name, [box[:2], box[2:]]).tolist()
        place = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}
        return "rectanglelabels", place

    return label_studio(folder, rectangle)


def label_studio_min(folder: Path) -> Path:
    tasks = json.loads(label_studio_brush(folder).read_text())
    flat = []
    for task in tasks:
        results = task["annotations"][0]["result"]
        tag = [{**result["value"], "original_width": result["original_width"]} for result in results]
        tag = [{**value, "original_height": results[0]["original_height"]} for value in tag]
        flat.append({"image": task["data"]["image"], "id": task["id"], "tag": tag, "annotator": 1, "annotation_id": 1})
    return write(folder / "project-1.json", flat)


def label_studio_pngs(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for task, name in zip((3, 7, 8), sorted(SCENES)):
        labels = labels_of(name)
        for index in (1, 2):
            mask = Image.fromarray(((labels == index) * 255).astype(np.uint8))
            mask.save(folder / f"task-{task}-annotation-{task}-by-1-tag-{NAMES[index]}-0.png")
    return folder


def masks(folder: Path, picture: Callable[[np.ndarray], Image.Image]) -> Path:
    for name in SCENES:
        path = folder / Path(name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(labels_of(name)).save(path)
    return folder


def index_masks(folder: Path) -> Path:
    return masks(folder, Image.fromarray)


def palette_masks(folder: Path) -> Path:
    def picture(labels: np.ndarray) -> Image.Image:
        found = Image.fromarray(labels, "P")
        found.putpalette(np.ravel(COLOURS).tolist())
        return found

    return masks(folder, picture)


def colour_masks(folder: Path) -> Path:
    return masks(folder, lambda labels: Image.fromarray(np.array(COLOURS, np.uint8)[labels]))


PLAIN = index_masks, palette_masks, colour_masks
FORMS = (
    coco_polygons,
    coco_runs,
    coco_compressed,
    labelme_polygons,
    labelme_rectangles,
    labelme_masks,
    cvat_masks,
    cvat_polygons,
    cvat_boxes,
    cvat_runs,
    roboflow,
    label_studio_brush,
    label_studio_polygons,
    label_studio_rectangles,
    label_studio_min,
    label_studio_pngs,
)


def zipped(path: Path) -> Path:
    """A zip of a file, or of what is in a folder."""
    files = [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if file.is_file()]
    target = path.with_name(f"{path.stem}.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(path if path.is_dir() else path.parent))
    return target


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
