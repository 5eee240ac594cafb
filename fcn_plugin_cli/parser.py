"""Parsers of command lines that name the nearest to what they do not know."""

from __future__ import annotations

import argparse
import difflib
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from itertools import takewhile


class Parser(argparse.ArgumentParser):
    """A parser that takes options anywhere, only by their whole names, and whose help ends with examples."""

    def __init__(
        self,
        prog: str | None = None,
        description: str = "",
        epilog: str = "",
        examples: Sequence[str] = (),
        **settings: object,
    ) -> None:
        shown = "\n  ".join(["examples:", *examples]) if examples else ""
        width = shutil.get_terminal_size().columns - 2
        super().__init__(
            prog,
            description=textwrap.fill(description, width),
            epilog="\n\n".join(filter(None, [epilog, shown])),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # what is short for one option today is short for two tomorrow
            **settings,
        )

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of a command line; whatever is wrong with them ends the process with exit code 2.

        Unknown options come first: where one is misspelt, the complaint of the parser is another.
        """
        known = self._option_string_actions
        given = [word.partition("=")[0] for word in takewhile(lambda word: word != "--", words)]
        unknown = [word for word in given if is_option(word) and word not in known]
        if unknown and not {"-h", "--help"} & set(given):
            self.error("unrecognized arguments: " + "; ".join(word + nearest(word, known) for word in unknown))
        return self.parse_intermixed_args(words)


def is_option(word: str) -> bool:
    """Whether a word of a command line is an option, and neither a value nor a negative number."""
    return len(word) > 1 and word.startswith("-") and " " not in word and not word[1:2].isdigit() and word[1:2] != "."


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: what a word is short for, or else misspelt, if there is any such."""
    known = sorted(known)
    near = [name for name in known if name.startswith(word)][:3] or difflib.get_close_matches(word, known, n=1)
    return f", did you mean {' or '.join(map(repr, near))}?" if near else ""
