"""Every form of annotation gives the same class indices, position by position."""

from pathlib import Path

import numpy as np
import pytest
from testing.annotation_files import COLOURS, FORMS, NAMES, PLAIN, SCENES, labels_of, save_pictures, zipped

from fcn_plugin.datasets.annotations.annotated import AnnotatedSet
from fcn_plugin.datasets.annotations.read_annotations import read_annotations


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_same_indices_out_of_every_form(tmp_path: Path, form, packed: bool) -> None:
    images = save_pictures(tmp_path / "pictures")
    masks = form(tmp_path / "annotations")
    check(read_annotations(images, zipped(masks) if packed else masks), images)


@pytest.mark.parametrize("form", PLAIN, ids=lambda form: form.__name__)
def test_same_indices_out_of_plain_masks(tmp_path: Path, form) -> None:
    images = save_pictures(tmp_path / "pictures")
    check(read_annotations(images, form(tmp_path / "masks"), classes=NAMES), images)


def check(found: AnnotatedSet, images: Path) -> None:
    assert found.classes == NAMES
    assert found.palette[0] == COLOURS[0] and len(set(found.palette)) == len(NAMES)
    assert [(picture.name, picture.image) for picture in found.pictures] == [
        (str(Path(name).with_suffix("")), images / name) for name in sorted(SCENES)
    ]
    for picture, name in zip(found.pictures, sorted(SCENES)):
        labels = picture.read_labels()
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, labels_of(name), err_msg=name)
        assert all(path.exists() for path in picture.annotations)
    if "CVAT" in found.form:
        assert found.palette == COLOURS
