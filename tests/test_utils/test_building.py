"""What is said of a component that the toolbox cannot build."""

import subprocess

import pytest
from mmengine.registry import RUNNERS, Registry
from mmseg.registry import MODELS

from fcn_plugin.utils.building import arose_in_building, explain, settings_of, unknown_settings
from fcn_plugin.utils.text import nearest

PARTS = Registry("part")


@PARTS.register_module()
class Part:
    """A component and its parent's settings."""

    def __init__(self, size, *, colour="red"):
        if size > 9:
            raise ValueError(f"too large: {size}\nsecond line")
        if size == 7:
            import nowhere.inside  # noqa: F401
        if size == 8:
            {}["size 8"]


@PARTS.register_module()
class Child(Part):
    def __init__(self, depth=1, **kwargs):
        super().__init__(**kwargs)


@PARTS.register_module()
class Anything:
    def __init__(self, first_setting=1, **kwargs):
        self.kwargs = kwargs


@PARTS.register_module()
class Outer:
    def __init__(self, inner):
        PARTS.build(inner)


@pytest.mark.parametrize(
    "settings, expected",
    [
        (dict(type="Part", size=1, color="b"), "parts.0.color: Part has no setting 'color', did you mean 'colour'?"),
        (dict(type="Part", size=1, x=2), "parts.0.x: Part has no setting 'x'; it takes colour, size"),
        (dict(type="Child", sise=1), "parts.0.sise: Child has no setting 'sise', did you mean 'size'?"),
        (
            dict(type="Outer", inner=dict(type="Part", sise=1)),
            "parts.0.inner.sise: Part has no setting 'sise', did you",
        ),
        (dict(type="Part"), "Part.__init__() missing 1 required positional argument: 'size'"),
        (dict(type="Part", size=10), "Part: too large: 10"),
        (dict(type="Part", size=7), "the package nowhere is not installed: run pip install nowhere"),
        (dict(type="Part", size=8), "Part: size 8"),
        (dict(type="Prat"), "parts.0.type: there is no 'Prat' among the toolbox's parts, did you mean 'Part'?"),
        (
            dict(type="Outer", inner=dict(type="Chidl")),
            "parts.0.inner.type: there is no 'Chidl' among the toolbox's parts",
        ),
        (dict(type="nowhere.Part"), "parts.0.type: 'nowhere.Part' is not there: the package nowhere is not installed"),
    ],
)
def test_explain(settings, expected):
    with pytest.raises(Exception) as caught:
        PARTS.build(settings)
    assert arose_in_building(caught.value)
    text = explain(caught.value, settings, "parts.0")
    assert text.startswith(expected) and "\n" not in text


def test_assertions_without_text():
    """Of the toolbox; pytest gives those of this file a text."""
    with pytest.raises(AssertionError) as caught:
        MODELS.build(dict(type="mmseg.FCNHead", in_channels=[3], channels=4, num_classes=2))
    assert explain(caught.value) == "FCNHead: it is expected that isinstance(in_channels, int)"


def test_of_other_errors():
    error = KeyError("no such thing")
    assert explain(error) == "no such thing" and not arose_in_building(error)
    assert explain(RuntimeError()) == "RuntimeError"


def test_runners():
    with pytest.raises(KeyError) as caught:
        RUNNERS.build(dict(runner_type="Runer"))
    assert explain(caught.value) == "there is no 'Runer' among the toolbox's runners, did you mean 'Runner'?"


def test_settings_that_are_handed_on():
    """Names near to a known one are misspelt; of others a class that takes any is believed."""
    assert settings_of(Child) == ({"depth", "size", "colour"}, True)
    assert unknown_settings(Part, ["size", "colour", "colours"]) == [
        "Part has no setting 'colours', did you mean 'colour'?"
    ]
    assert unknown_settings(Anything, ["first_settin", "second"]) == [
        "Anything has no setting 'first_settin', did you mean 'first_setting'?"
    ]
    assert unknown_settings(subprocess.run, ["popenargs", "x"]) == [] and unknown_settings(int, ["x"]) == []


def test_nearest():
    assert nearest("lr_mut", ["lr_mult", "lr"]) == ", did you mean 'lr_mult'?"
    assert nearest("abc", ["xyz"]) == nearest("abc", []) == ""
