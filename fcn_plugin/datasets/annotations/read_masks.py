"""A folder of pictures and a folder of masks as an annotated set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from .annotated import AnnotatedPicture, AnnotatedSet
from .mask_census import Census, take_census
from .mask_classes import classes_of
from .mask_files import read_mask
from .mask_layers import read_layers
from .mask_names import find_names
from .pairing import pair_files
from .pairing_files import File


def read_masks(
    images: Path,
    masks: Path,
    *,
    pair: str | None = None,
    classes: Sequence[str] | None = None,
    ignore: Sequence[object] = (),
) -> AnnotatedSet:
    """Pair pictures with masks by name, and find the classes of the masks, which are read once for that.

    Masks may hold indices, also of 16 bits, in palettes, or with gaps, two values of any kind, colours, or one class
    each (``car/NAME.png`` or ``NAME_car.png``). 255 beside other indices is ignored.

    Args:
        images (Path): folder of the pictures.
        masks (Path): folder of the masks; the same, or one in the other, too.
        pair (str, optional): how names belong together, as in :class:`.pairing_rules.Rule`.
        classes (Sequence[str], optional): names in the order of the masks' values.
        ignore (Sequence): names, values or colours (``#rrggbb`` or ``r,g,b``) that become 255.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if files do not pair, masks are none or of another size, or classes are not those of the masks.
    """
    images, masks = Path(images), Path(masks)
    pairing = pair_files(images, masks, pair, _number_of_colours)
    if len(pairing.ways) > 1:
        layers = read_layers(pairing, classes, ignore)
        names = names_of(layers.masks)
        pictures = tuple(
            AnnotatedPicture(names[image], image.path, partial(layers.read, image), layers.files_of(image))
            for image in names
        )
        return AnnotatedSet(pictures, layers.classes, layers.palette, layers.form, (*pairing.remarks, *layers.remarks))
    pairs = pairing.ways[0].pairs
    census = Census(take_census([(image.path, mask.path) for image, mask in pairs.items()]))
    known = find_names([masks, masks.absolute().parent])
    found = classes_of(census, classes, ignore, known)
    names = names_of(pairs)
    pictures = tuple(
        AnnotatedPicture(names[image], image.path, partial(found.read, pairs[image].path), (pairs[image].path,))
        for image in names
    )
    return AnnotatedSet(pictures, found.classes, found.palette, found.form, (*pairing.remarks, *found.remarks))


def names_of(images: Iterable[File]) -> dict[File, str]:
    """Unique names of pictures, in their order: without suffix, and without folders that all have."""
    parts = {image: PurePosixPath(image.text).parts for image in images}
    shared = len(os.path.commonprefix([part[:-1] for part in parts.values()]))
    names = {image: "/".join(part[shared:]) for image, part in parts.items()}
    often = Counter(names.values())
    names = {image: f"{name}_{image.path.suffix[1:]}" if often[name] > 1 else name for image, name in names.items()}
    return dict(sorted(names.items(), key=lambda pair: pair[1]))


def _number_of_colours(path: Path) -> int:
    """How many different values a picture has; masks have few."""
    try:
        return len({*read_mask(path).codes.ravel().tolist()})
    except ValueError:  # of several bands, or floats: a picture
        return 1 << 24
