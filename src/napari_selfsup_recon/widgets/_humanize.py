"""Numbers as people say them."""

from __future__ import annotations

from collections.abc import Sequence

from napari_selfsup_recon.core.units import unit_symbol


def duration(seconds: float) -> str:
    """Return for example ``"38 s"``, ``"4 min"`` or ``"1 h 05 min"``."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 3600:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def about(seconds: float) -> str:
    """Return for example ``"about 40 s"`` or ``"about 3 min"``: what a measurement is good for."""
    if seconds < 1:
        return "below 1 s"
    if seconds < 57.5:
        return f"about {round(seconds) if seconds < 10 else 5 * round(seconds / 5)} s"
    if seconds < 90 * 60:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {round(seconds / 3600)} h"


def voxel_size(scale: Sequence[float], units: Sequence[str]) -> str:
    """Return for example ``"0.3 × 0.1 × 0.1 µm"``."""
    numbers = [f"{value:.4g}" for value in scale]
    if len(set(units)) == 1:
        return f"{' × '.join(numbers)} {unit_symbol(units[0])}"
    pairs = zip(numbers, units, strict=True)
    return " × ".join(f"{number} {unit_symbol(unit)}" for number, unit in pairs)


def shape(axes: Sequence[str], sizes: Sequence[int]) -> str:
    """Return for example ``"z 32 × y 96 × x 96"``."""
    return " × ".join(f"{axis} {size}" for axis, size in zip(axes, sizes, strict=True))
