"""Work in threads with a bar."""

import io

import pytest

from fcn_plugin.utils import progress
from fcn_plugin.utils.progress import in_threads


def test_order_and_bar(monkeypatch):
    """The bar is shown once the time is over, where it is told to be."""
    for after, shown in ((60, False), (-1, True)):
        monkeypatch.setattr(progress, "AFTER", after)
        terminal = io.StringIO()
        assert list(in_threads(lambda x: x * x, range(50), "Squares", terminal)) == [x * x for x in range(50)]
        assert ("Squares" in terminal.getvalue()) is shown


def test_an_error_ends_the_work():
    done = []

    def work(item):
        if item == 3:
            raise KeyboardInterrupt
        done.append(item)

    with pytest.raises(KeyboardInterrupt):
        list(in_threads(work, range(100000), "Work"))
    assert len(done) < 100000
