import numpy as np

from fcn_plugin.visualization.confusion import draw_confusion, row_shares

MATRIX = np.array([[6, 2, 0], [0, 0, 0], [1, 0, 2**31]])
CLASSES = ["sky", 'a, "b"', "cost $x$ <&>"]


def test_shares():
    shares = row_shares(np.array([[6, 2, 0], [0, 0, 0], [1, 0, 3]]))
    assert shares[[0, 2]].tolist() == [[75, 25, 0], [25, 0, 75]] and np.isnan(shares[1]).all()


def test_picture():
    """Colours are the shares, rows the truth; names and pixel counts beside them, no formula out of dollars."""
    axes = draw_confusion(MATRIX, CLASSES, "FCN-8s").axes[0]
    assert np.array_equal(axes.images[0].get_array().filled(np.nan), row_shares(MATRIX), equal_nan=True)
    assert axes.images[0].get_clim() == (0, 100)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["sky", 'a, "b"', r"cost \$x\$ <&>"]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "sky  8", 'a, "b"  0', r"cost \$x\$ <&>  2,147,483,649",
    ]  # fmt: skip
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "75", (1, 0): "25", (2, 2): "100"}
    assert axes.get_title() == "FCN-8s" and axes.get_xlabel() == "predicted" and axes.get_ylabel().startswith("truth")


def test_many_classes_have_colours_alone():
    axes = draw_confusion(np.eye(150, dtype=np.int64), [str(i) for i in range(150)]).axes[0]
    assert not list(axes.texts) and axes.images[0].get_array().shape == (150, 150)
