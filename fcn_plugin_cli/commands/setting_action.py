"""Values of --cfg-options, as the toolbox reads them, with paths left as they are."""

from __future__ import annotations

import ast
import os
from argparse import Action, ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any


class SettingAction(Action):
    """The toolbox's ``key=value``, without what it does to a text: blanks taken out, and brackets and commas parsed.

    Left as they are: a text in quotes, the path of something that is there, and what has a blank or a bracket inside.
    """

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the settings to those that were given before."""
        settings = dict(getattr(namespace, self.dest, None) or {})
        for word in values or ():
            key, equals, value = word.partition("=")
            if not equals or not key:
                raise ArgumentError(self, f"expected key=value, got {word!r}")
            settings[key] = parse_value(value)
        setattr(namespace, self.dest, settings)


def parse_value(text: str) -> Any:
    """The value of a setting: a number, truth value, None, list or tuple, or else the text.

    Examples:
        >>> parse_value("1,2"), parse_value("[a, b]"), parse_value("it's, mine"), parse_value("'a,b'")
        ([1, 2], ['a', 'b'], "it's, mine", 'a,b')
    """
    from mmengine.config import DictAction

    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]:
        return text[1:-1]
    value = DictAction._parse_int_float_bool(text)
    if not isinstance(value, str) or os.path.exists(text):
        return value
    if text.startswith(("[", "(", "{")):
        try:
            literal = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            literal = None
        if isinstance(literal, (list, tuple, dict)):
            return literal
    bracketed = text.startswith("[") and text.endswith("]") or text.startswith("(") and text.endswith(")")
    inner = text[1:-1] if bracketed else text
    plain = not any(mark in inner for mark in "[](){}'\"")
    if bracketed or (plain and "," in text and " " not in text):
        try:
            return DictAction._parse_iterable(text)
        except (AssertionError, RecursionError):
            return text
    return text
