"""Times and channels by number, as people write them."""

from __future__ import annotations

from itertools import product

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement


def frames(
    measurement: Measurement, time: str | None = None, channel: str | None = None
) -> tuple[tuple[int, ...], ...] | None:
    """Return the leading indices that ``time`` and ``channel`` choose; None for all.

    Parameters
    ----------
    measurement
        The image.
    time, channel
        ``"3"``, ``"0:5"`` (the last excluded), or empty for all.

    Raises
    ------
    InputError
        If the image has no such axis or no such entry.
    """
    wanted = {"t": time, "c": channel}
    if not any(wanted.values()):
        return None
    axes = measurement.axes[: len(measurement.leading_shape)]
    for axis, text in wanted.items():
        if text and axis not in axes:
            raise InputError(
                f"{measurement.name!r} has no axis {axis} to choose from; "
                f"its axes are {', '.join(measurement.axes)}.",
                hint="Name them with --axes if they are wrong.",
            )
    return tuple(
        product(
            *(
                _indices(wanted.get(axis), n, axis)
                for axis, n in zip(axes, measurement.leading_shape, strict=True)
            )
        )
    )


def _indices(text: str | None, n: int, axis: str) -> range:
    if not text:
        return range(n)
    start, colon, stop = text.partition(":")
    if not all(part.isdecimal() for part in (start, stop) if part) or text == ":":
        raise InputError(
            f"{text!r} chooses nothing along {axis}.", hint="Write for example 3 or 0:5."
        )
    first = int(start or 0)
    last = int(stop or n) if colon else first + 1
    if not 0 <= first < last <= n:
        raise InputError(
            f"{text} lies outside the axis {axis}, which has {n} entries.",
            hint="Indices count from 0.",
        )
    return range(first, last)
