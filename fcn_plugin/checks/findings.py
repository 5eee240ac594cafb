"""What was found in one image and its label."""

from __future__ import annotations

from dataclasses import dataclass, field

FIELDS = ("size", "pixels", "colours", "usual_colours", "unknown_pixels", "turned", "lossy", "highest")  #: of a note


@dataclass
class Findings:
    """What was found in one sample.

    Attributes:
        problems: kind and description of each, see :data:`~fcn_plugin.checks.report.KINDS`.
        size: width, height and bands of the image as it was loaded; None if it was not.
        pixels: number of pixels by index of the label, the ignored one included; empty without a label.
        colours: of a label with another palette than the data set's, the colour of each index that occurs, as a number.
        usual_colours: whether a label has the palette of the data set.
        unknown_pixels: label pixels whose colour is not in the palette, which are ignored.
        turned: whether the image is turned by an EXIF orientation that the size of the label cannot confirm.
        lossy: whether the label is a JPEG.
        highest: highest value of an image of more than 8 bits of which 8 were loaded.
        suspect: a decoder printed something while the sample was read.
    """

    problems: list[tuple[str, str]] = field(default_factory=list)
    size: tuple[int, int, int] | None = None
    pixels: dict[int, int] = field(default_factory=dict)
    colours: dict[int, int] = field(default_factory=dict)
    usual_colours: bool = False
    unknown_pixels: int = 0
    turned: bool = False
    lossy: bool = False
    highest: float | None = None
    suspect: bool = False

    def note(self) -> list:
        """What to keep of a good sample, as JSON has it."""
        values = (getattr(self, name) for name in FIELDS)
        return [[*value.items()] if isinstance(value, dict) else value for value in values]

    @classmethod
    def from_note(cls, note: list) -> Findings:
        """A good sample, from what was kept of it."""
        size, pixels, colours, *rest = note
        return cls([], size and tuple(size), dict(pixels), dict(colours), *rest)
