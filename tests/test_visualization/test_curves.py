import math

import numpy as np
import pytest
from PIL import Image
from testing.run_logs import train, val, write_session, write_stages

from fcn_plugin.visualization.curves import COLOURS, default_window, draw_curves, running_median
from fcn_plugin.visualization.figures import save_figure
from fcn_plugin.visualization.run_log import read_stages


def curves(axes, alpha=None):
    """Steps and values of the lines that have points in the plane of the data."""
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) and line.get_linestyle() == "-"]
    return [[*map(list, line.get_data())] for line in lines if line.get_alpha() == alpha]


def boundaries(axes):
    return [line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == "--"]


@pytest.fixture
def stages(tmp_path):
    return read_stages(write_stages(tmp_path, tmp_path / "fcn8s_x"))


class TestRunningMedian:
    @pytest.mark.parametrize(
        "window, expected",
        [(1, [5, 1, 9, 2, 8]), (3, [3, 5, 2, 8, 5]), (5, [5, 3.5, 5, 5, 8]), (99, [5, 5, 5, 5, 5])],
    )
    def test_by_hand(self, window, expected):
        assert running_median(np.array([5.0, 1, 9, 2, 8]), window).tolist() == expected

    def test_nan(self):
        values = running_median(np.array([math.nan, math.nan, 4, 6, math.nan]), 3).tolist()
        assert math.isnan(values[0]) and values[1:] == [4, 5, 5, 6]

    @pytest.mark.parametrize("window", [0, -1, 4])
    def test_wrong_window(self, window):
        with pytest.raises(ValueError, match=f"odd number from 1 on, got {window}"):
            running_median(np.zeros(3), window)

    @pytest.mark.parametrize("number, window", [(0, 5), (17, 5), (90, 7), (105, 7), (300, 21), (100_000, 101)])
    def test_default(self, number, window):
        assert default_window(number) == window


class TestStagesInOnePicture:
    def test_counted_on(self, stages):
        loss, rate, mean_iu = draw_curves({"run": stages}, window=1).axes
        steps = [list(range(10, 101, 10)), list(range(110, 141, 10)), list(range(160, 211, 10))]
        assert [x for x, _ in curves(loss)] == [x for x, _ in curves(loss, 0.25)] == steps
        assert [x for x, _ in curves(rate)] == steps
        assert [y for _, y in curves(rate)] == [[0.1] * 10, [0.1] * 4, [0.1] * 6]  # not that of a single layer
        assert curves(mean_iu) == [[[100], [30]], [[150], [40]], [[210], [50]]]
        assert [y[0] for _, y in curves(loss)] == [3, 4, 5]

    def test_boundaries_and_names(self, stages):
        figure = draw_curves({"run": stages})
        assert [boundaries(axes) for axes in figure.axes] == [[100, 150]] * 3
        loss, _, mean_iu = figure.axes
        assert [(text.get_text(), text.xy[0]) for text in loss.texts] == [
            ("fcn32s_x", 0), ("fcn16s_x", 100), ("fcn8s_x", 150),
        ]  # fmt: skip
        assert [(text.get_text(), text.xy) for text in mean_iu.texts] == [
            ("30.0", (100, 30)), ("40.0", (150, 40)), ("50.0", (210, 50)),
        ]  # fmt: skip
        assert loss.get_legend() is None and mean_iu.get_xlabel() == "iterations"

    def test_smoothed_over_raw(self, stages):
        loss = draw_curves({"run": stages[-1:]}, window=3).axes[0]
        raw = [50 / step for step in range(10, 61, 10)]
        assert curves(loss, 0.25)[0][1] == pytest.approx(raw)
        smooth = [(raw[0] + raw[1]) / 2, *raw[1:5], (raw[4] + raw[5]) / 2]
        assert curves(loss)[0][1] == pytest.approx(smooth)


def test_several_runs(stages):
    figure = draw_curves({"all": stages, "last": stages[-1:]})
    loss, _, mean_iu = figure.axes
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["all", "last"]
    assert [line.get_color() for line in loss.get_legend().get_lines()] == list(COLOURS[:2])
    assert [x[0] for x, _ in curves(mean_iu)] == [100, 150, 210, 60]
    assert [line.get_color() for line in mean_iu.get_lines() if line.get_marker() == "o"] == [COLOURS[0]] * 3 + [
        COLOURS[1]
    ]
    assert boundaries(loss) == [100, 150] and not list(loss.texts)


def test_axes_fit_what_is_drawn(tmp_path):
    """Logarithmic only for losses or rates far apart; without base_lr the rate of the layers; no panel without mIoU."""
    falling = [train(step, 1000 / step**2, rate=0.1) for step in range(1, 20)]
    for record in falling:
        del record["base_lr"]
    write_session(tmp_path / "a", "20260101_000000", falling)
    loss, rate = draw_curves({"a": read_stages(tmp_path / "a")}, window=1).axes
    assert (loss.get_yscale(), rate.get_yscale()) == ("log", "linear")
    assert curves(rate)[0][1] == [0.1 / 5] * 19
    write_session(tmp_path / "b", "20260101_000000", [train(1, 1.0, 1e-4), train(2, math.nan, 1e-4), val(2, math.nan)])
    runs = {"a": read_stages(tmp_path / "a"), "b": read_stages(tmp_path / "b")}
    loss, rate, _ = draw_curves(runs, window=1).axes
    assert (loss.get_yscale(), rate.get_yscale()) == ("log", "log")
    loss, _, mean_iu = draw_curves({"b": runs["b"]}).axes
    assert loss.get_yscale() == "linear" and np.isnan(curves(mean_iu)[0][1]).all()


def test_colours_in_the_picture(stages, tmp_path):
    save_figure(draw_curves({"run": stages}), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        pixels = np.array(picture.convert("RGB"))
    colour = [int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5)]
    assert (pixels == colour).all(-1).sum() > 500 and pixels.shape[1] == 990
