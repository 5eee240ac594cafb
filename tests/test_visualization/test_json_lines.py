import math

import pytest

from fcn_plugin.visualization.run_log import read_json_lines


@pytest.mark.parametrize("tail", ["", '{"step": 3, "lo', '{"step": 3', "3", "\n\n", "\0\0\0", '{"a": "\\'])
def test_an_incomplete_last_line_is_passed_over(tmp_path, tail):
    path = tmp_path / "log.json"
    path.write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": NaN}\n' + tail)
    first, second = read_json_lines(path)
    assert first == dict(step=1, loss=2.5) and second["step"] == 2 and math.isnan(second["loss"])


def test_bytes_of_a_cut_character(tmp_path):
    path = tmp_path / "log.json"
    path.write_bytes('{"a": 1}\n{"b": "é'.encode()[:-1])
    assert read_json_lines(path) == [dict(a=1)]


def test_an_empty_log(tmp_path):
    (tmp_path / "log.json").touch()
    assert read_json_lines(tmp_path / "log.json") == []


@pytest.mark.parametrize("broken", ['{"step": 1', "17", "[]"])
def test_a_damaged_log_is_an_error(tmp_path, broken):
    path = tmp_path / "log.json"
    path.write_text('{"step": 0}\n' + broken + '\n{"step": 2}\n')
    with pytest.raises(ValueError, match=f"line 2 of {path} is no JSON record"):
        read_json_lines(path)
