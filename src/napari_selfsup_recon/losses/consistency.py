"""Agreement with the measurement."""

from __future__ import annotations

from torch import Tensor


def consistency(prediction: Tensor, y: Tensor, *, weight: Tensor | None = None) -> Tensor:
    r"""Return the mean squared difference over the measured entries.

    .. math:: \frac{\sum_i w_i (h_i - y_i)^2}{\sum_i w_i}

    Parameters
    ----------
    prediction
        h, the measurement of the reconstruction, ``A(x)``.
    y
        The measurement, of the same shape.
    weight
        1 where a value was measured and 0 elsewhere (a mask), or the inverse variance of each
        value; broadcast against ``y``. Every entry counts alike without it.
    """
    return weighted_mean(squared_difference(prediction, y, weight), weight)


def squared_difference(prediction: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    """Return the squares, 0 where ``weight`` is: what was not measured there may be anything."""
    difference = prediction - y
    if weight is not None:
        counted = weight.to(difference).expand_as(difference) > 0
        # Before squaring: the derivative of what is not selected must be finite as well.
        difference = difference.where(counted, difference.new_zeros(()))
    return difference.square()


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of ``values`` with ``weight`` broadcast against them; 0 if that is 0."""
    if weight is None:
        return values.mean()
    full = weight.to(values).expand_as(values)
    # Selected, not multiplied: entries that do not count may be infinite.
    counted = (values * full).where(full > 0, values.new_zeros(()))
    total = full.sum()
    return counted.sum() / total.where(total > 0, total.new_ones(()))
