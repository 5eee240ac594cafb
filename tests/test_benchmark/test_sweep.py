import pytest

from fcn_plugin.benchmark.sweep import fit_line, scaled_shapes, sweep


def test_line():
    line = fit_line([1, 2, 3], [5, 7, 9])
    assert (line.intercept, line.slope) == pytest.approx((3, 2))
    assert line.r2 == pytest.approx(1) and line.largest_deviation == pytest.approx(0)
    line = fit_line([0, 1, 2], [1, 4, 1])  # the mean is the best line
    assert (line.intercept, line.slope) == pytest.approx((2, 0))
    assert line.r2 == pytest.approx(0, abs=1e-9) and line.largest_deviation == pytest.approx(1)
    line = fit_line([0, 1, 2, 3], [1, 2, 3, 5])  # 0.8 + 1.3 x
    assert (line.intercept, line.slope) == pytest.approx((0.8, 1.3))
    assert line.r2 == pytest.approx(1 - 0.3 / 8.75) and line.largest_deviation == pytest.approx(0.2)


def test_shapes():
    assert scaled_shapes((100, 200)) == [(50, 100), (71, 141), (100, 200), (141, 283), (200, 400)]
    assert scaled_shapes((1, 1)) == [(1, 1), (2, 2)]


class LinearSide:
    """A side whose time is a line over the area; every other run takes longer."""

    def __init__(self):
        self.inputs, self.runs = [], 0

    def call(self, method, *args):
        if method == "set_inputs":
            self.inputs.append(args)
            return None
        if method == "warm_up":
            self.runs = 0
            return 7
        name, calls = args
        assert method == "seconds" and calls == 7
        self.runs += 1
        batch, (height, width) = self.inputs[-1]
        more = 100 if self.runs == 2 else 0
        return batch * ({"forward": 1, "step": 3}[name] * (2 + height * width)) + more


def test_sweep():
    side = LinearSide()
    found = list(sweep(side, (10, 20), repeats=3, computations=("forward", "step"), areas=(1, 4), batches=(1, 2)))
    assert side.inputs == [(batch, shape) for batch in (1, 2) for shape in ((10, 20), (20, 40))]
    assert [(one.computation, one.batch) for one in found] == [("forward", 1), ("step", 1), ("forward", 2), ("step", 2)]
    for one in found:
        factor = {"forward": 1, "step": 3}[one.computation]
        assert one.seconds == [202 * factor, 802 * factor] and one.shapes == [(10, 20), (20, 40)]
        assert (one.line.intercept, one.line.slope, one.line.r2) == pytest.approx((2 * factor, factor, 1))
