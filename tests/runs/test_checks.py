"""What is doubted about a result, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_selfsup_recon.runs._checks import doubts

Y = np.random.default_rng(0).poisson(20, (16, 16)).astype(np.float32) + 100


@pytest.mark.parametrize("result", [Y, Y - 100, 1.2 * Y])
def test_good_results_are_not_doubted(
    result: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    assert list(doubts(result, Y, background=100.0)) == []


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (np.full_like(Y, 3), "constant"),
        (np.where(Y > 120, np.nan, Y), "NaN"),
        (np.where(Y > 120, np.inf, Y), "infinite"),
        (2 * Y, "gained 100%"),
        (0.5 * Y, "lost 50%"),
    ],
)
def test_bad_results_are(
    result: np.ndarray[tuple[int, ...], np.dtype[np.float32]], word: str
) -> None:
    (doubt,) = doubts(result, Y)
    assert word in doubt


def test_images_around_zero_have_no_total() -> None:
    noise = np.random.default_rng(1).normal(size=(16, 16))
    assert list(doubts(3 * noise + 5, noise)) == []
