"""Values of --cfg-options."""

import argparse

import pytest

from fcn_plugin_cli.commands.setting_action import SettingAction, parse_value


@pytest.mark.parametrize(
    "text, value",
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("true", True),
        ("None", None),
        ("", ""),
        ("1,2", [1, 2]),
        ("a,b", ["a", "b"]),
        ("[a, b]", ["a", "b"]),
        ("(1,)", (1,)),
        ("[(1,2),[a,b],c]", [(1, 2), ["a", "b"], "c"]),
        ("['a b','c']", ["a b", "c"]),
        ("{'size': 3}", {"size": 3}),
        ("data/my shapes", "data/my shapes"),
        ("it's mine, too", "it's mine, too"),
        ("'a,b'", "a,b"),
        ('"3"', "3"),
        ("a [b, c] d", "a [b, c] d"),
        ("[a] and (b)", "[a] and (b)"),
        ("x(1).png", "x(1).png"),
        ("[a", "[a"),
        ("(a))", "(a))"),
        ("50%", "50%"),
    ],
)
def test_values(text, value):
    assert parse_value(text) == value and type(parse_value(text)) is type(value)


def test_a_path_that_is_there(tmp_path, monkeypatch):
    """Is no list; a number is a number in any directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("a,b", "[c,d]", "7"):
        (tmp_path / name).mkdir()
    assert [parse_value(text) for text in ("a,b", "[c,d]", "7")] == ["a,b", "[c,d]", 7]


def test_several_options(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg-options", nargs="+", action=SettingAction, default={})
    args = parser.parse_args(["--cfg-options", "a=1", "b=x=y", "--cfg-options", "a=2"])
    assert args.cfg_options == {"a": 2, "b": "x=y"}
    assert parser.parse_args([]).cfg_options == {}
    with pytest.raises(SystemExit):
        parser.parse_args(["--cfg-options", "a"])
    assert "expected key=value, got 'a'" in capsys.readouterr().err
