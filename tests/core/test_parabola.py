"""A parabola through three values."""

from __future__ import annotations

import pytest

from napari_selfsup_recon.core.parabola import Parabola


@pytest.mark.parametrize("lowest", [-0.4, 0.0, 0.3, 0.5, 2.0])
def test_it_finds_where_a_parabola_is_lowest(lowest: float) -> None:
    def value(x: float) -> float:
        return 3 * (x - lowest) ** 2 - 1

    found = Parabola(value(0.0), value(0.5), value(1.0))
    assert found.lowest == pytest.approx(lowest)
    assert found.at(0.8) == pytest.approx(value(0.8))
    assert found.at(found.lowest) == pytest.approx(-1)


def test_where_none_is_lowest_it_is_a_half() -> None:
    assert Parabola(1.0, 1.0, 1.0).lowest == 0.5
    assert Parabola(0.0, 1.0, 0.0).lowest == 0.5
