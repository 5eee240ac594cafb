"""What is printed to the process's stderr, by C code and by Python."""

import io
import os
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from fcn_plugin.checks.decoder_messages import DecoderMessages, damage_in


def test_caught_and_passed_on(capfd):
    with DecoderMessages() as messages:
        assert messages.position() == 0
        os.write(2, b"[ WARN] something\n")
        position = messages.position()
        os.write(2, b"Corrupt JPEG data: bad Huffman code\n")
        assert messages.since(0).startswith("[ WARN] something\nCorrupt")
        assert messages.since(position) == "Corrupt JPEG data: bad Huffman code\n"
        print("progress", file=messages.terminal)
        assert messages.position() == len(messages.since(0))
    os.write(2, b"after\n")
    error = capfd.readouterr().err
    assert "something\n" in error and error.endswith("after\n") and "progress" in error
    assert "Corrupt" not in error  # it is told with the name of the file


def test_a_picture_that_opencv_reads(capfd):
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(content, "JPEG")
    damaged = bytearray(content.getvalue())
    damaged[2000:2200] = bytes(200)
    with DecoderMessages() as messages:
        for data, expected in ((content.getvalue(), None), (damaged, "Corrupt JPEG data")):
            position = messages.position()
            assert cv2.imdecode(np.frombuffer(bytes(data), np.uint8), cv2.IMREAD_COLOR).shape == (64, 80, 3)
            found = damage_in(messages.since(position))
            assert found is None if expected is None else found.startswith(expected)


def test_restored_after_an_error(capfd):
    with pytest.raises(ZeroDivisionError), DecoderMessages():
        print("a traceback", file=sys.stderr, flush=True)
        raise ZeroDivisionError
    os.write(2, b"after\n")
    assert capfd.readouterr().err.splitlines()[-1] == "after"


def test_no_stderr():
    """As of a process without a terminal."""
    descriptor = os.dup(2)
    try:
        os.close(2)
        with DecoderMessages() as messages:
            assert messages.position() == 0 and messages.since(0) == ""
    finally:
        os.dup2(descriptor, 2)
        os.close(descriptor)


@pytest.mark.parametrize(
    "text, damage",
    [
        ("Corrupt JPEG data: 28 extraneous bytes before marker 0xd9", True),
        ("Corrupt JPEG data: 3 extraneous bytes before marker 0xd4", True),
        ("Corrupt JPEG data: 12 extraneous bytes before marker 0xe2", False),  # between parts of the header
        ("Corrupt JPEG data: 1 extraneous bytes before marker 0xdb", False),
        ("Corrupt JPEG data: premature end of data segment", True),
        ("Premature end of JPEG file", True),
        ("[ERROR:0@0.5] global grfmt_tiff.cpp:117 TIFF_Error LZWDecode: Not enough data", True),
        ("libpng warning: iCCP: known incorrect sRGB profile", False),
        ("[ WARN:0@0.1] TIFFReadDirectory: Unknown field", False),
    ],
)
def test_damage(text, damage):
    found = damage_in(f"something\n{text}\nand more")
    assert (found is not None) == damage
    assert not damage or text.endswith(found)
