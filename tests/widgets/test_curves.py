"""The live curves: throttled, thinned, readable."""

from __future__ import annotations

import math

import pytest

from napari_selfsup_recon.widgets._humanize import duration, shape, voxel_size
from napari_selfsup_recon.widgets.curves import Curves, log_ticks, thinned


@pytest.mark.gui
def test_drawing_is_throttled(qtbot):
    curves = Curves()
    qtbot.addWidget(curves)
    curves.show()
    losses, scores = [], []
    for step in range(1, 401):
        losses.append((step, 1 / step))
        if step % 10 == 0:
            scores.append((step, 2 / step))
        curves.show_curves(losses, scores)
        if step % 40 == 0:
            qtbot.wait(10)
    qtbot.waitUntil(lambda: curves._waiting is None, timeout=5000)
    assert 1 <= curves.redraws <= 20
    x, y = curves._lines[0].getOriginalDataset()
    assert len(x) == len(y) == 400


def test_what_has_no_logarithm_is_left_out():
    curve = [(1, 2.0), (2, math.nan), (3, 0.0), (4, -1.0), (5, math.inf), (6, 1.0)]
    assert thinned(curve) == ([1, 6], [2.0, 1.0])
    x, _ = thinned([(i, 1.0) for i in range(1, 100_000)])
    assert len(x) < 500


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.5, 6, [0.5, 1, 2, 5]),
        (0.01, 1, [0.01, 0.1, 1]),
        (0.9, 1.1, [0.9, 1.1]),
        (0.71, 0.92, [0.71, 0.92]),
        (1e-6, 1e6, None),
        (3.0, 3.0, [3]),
    ],
)
def test_ticks_are_few_and_round(low, high, ticks):
    found = log_ticks(low, high)
    assert len(found) <= 5
    assert all(low <= tick <= high for tick in found)
    if ticks is not None:
        assert found == pytest.approx(ticks)


def test_words():
    assert [duration(s) for s in (-1, 38.4, 75, 700, 3900)] == [
        "0 s",
        "38 s",
        "1 min 15 s",
        "12 min",
        "1 h 05 min",
    ]
    assert voxel_size((0.3, 0.1, 0.1), ("micrometer",) * 3) == "0.3 × 0.1 × 0.1 µm"
    assert voxel_size((1, 0.5), ("micrometer", "nanometer")) == "1 µm × 0.5 nm"
    assert shape(("t", "y"), (3, 20)) == "t 3 × y 20"
