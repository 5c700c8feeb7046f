"""The scenes, times and channels of one file as rows of their own."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Literal

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.runs.batch.rows import Input
from napari_selfsup_recon.runs.reading import Reading, read_source

Part = Literal["scene", "time", "channel"]


def parts_of(path: Path, by: Iterable[Part], reading: Reading | None = None) -> list[Input]:
    """Return one input for each scene, time or channel of a file.

    Parameters
    ----------
    path
        The file.
    by
        What becomes a row of its own; an axis that the file does not have counts as one entry.
    reading
        What the file does not say of its axes.

    Raises
    ------
    FileError
        If it cannot be read.
    InputError
        If its axes cannot be what is told.
    """
    from napari_selfsup_recon.io.scenes import count_scenes

    wanted = set(by)
    if unknown := wanted - {"scene", "time", "channel"}:
        raise InputError(
            f"Files cannot be split by {', '.join(sorted(unknown))}.",
            hint="Split them by scene, time or channel.",
        )
    found: list[Input] = []
    for scene in range(count_scenes(path) if "scene" in wanted else 1):
        image = read_source(path, reading, scene=scene)
        lengths = dict(zip(image.axes, image.leading_shape, strict=False))
        times = _numbers(lengths.get("t") if "time" in wanted else None)
        channels = _numbers(lengths.get("c") if "channel" in wanted else None)
        found += [Input(path, scene, t, c) for t, c in product(times, channels)]
    return found


def _numbers(length: int | None) -> list[str]:
    return [""] if length is None else [str(n) for n in range(length)]
