"""What a measurement says besides its values, in the order used inside and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.measurement import SPATIAL, Measurement
from napari_selfsup_recon.core.provenance import METADATA_KEY, Provenance
from napari_selfsup_recon.core.units import PIXEL, canonical_unit

JSON_LIMIT = 16 * 2**20  # bytes
SLAB = 32  # planes
NOTES = "notes"  # key of what had to be guessed, in the metadata of a measurement


def stem(path: Path) -> str:
    """Return the name of a file without its endings (``cells.ome.tif`` -> ``cells``)."""
    name = path.name
    for ending in (".ome.tiff", ".ome.tif", ".ome.zarr", path.suffix):
        if ending and name.lower().endswith(ending.lower()) and len(name) > len(ending):
            return name[: -len(ending)]
    return name


def arrange(
    data: Any,
    axes: Sequence[str],
    path: Path,
    *,
    scale: Mapping[str, object] | None = None,
    units: Mapping[str, object] | None = None,
    translate: Mapping[str, object] | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Measurement:
    """Return ``data`` as a measurement: axes (..., t, c, z, y, x), those of length 1 dropped.

    Parameters
    ----------
    data
        numpy, zarr or dask array, in the order of the file.
    axes
        One lower-case name an axis.
    scale, units, translate
        By the name of the axis; what is missing, or makes no sense, is unknown.
    name, metadata
        As for :class:`Measurement`.
    notes
        Sentences on what had to be guessed; they become ``metadata["notes"]``.

    Raises
    ------
    FileError
        If the array is no image.
    """
    scale, units, translate = scale or {}, units or {}, translate or {}
    shape = tuple(int(n) for n in data.shape)
    if len(shape) < 2 or len(axes) != len(shape) or not {"y", "x"} <= set(axes):
        raise FileError(
            f"{str(path)!r} holds an array of shape {shape} with axes {tuple(axes)}, which is no "
            "image.",
            hint="An image needs y and x (and z) axes.",
        )
    if 0 in shape:
        raise FileError(
            f"{str(path)!r} holds an empty array of shape {shape}.", hint="Export the image again."
        )
    kept = [i for i, n in enumerate(shape) if n > 1 or axes[i] in ("y", "x")]
    order = sorted(kept, key=lambda i: _rank(axes[i]))
    if order != list(range(len(shape))):
        data = _transposed(data, order)
    names = tuple(axes[i] for i in order)
    known = {a: size for a in names if (size := positive(scale.get(a))) is not None}
    try:
        return Measurement(
            data,
            axes=names,
            scale=tuple(known.get(a, 1.0) for a in names),
            units=tuple(canonical_unit(units.get(a)) if a in known else PIXEL for a in names),
            translate=tuple(_number(translate.get(a)) for a in names),
            name=name or stem(path),
            metadata={
                **(metadata or {}),
                **({NOTES: list(notes)} if notes else {}),
                "path": str(path),
            },
        )
    except InputError as error:
        raise FileError(
            f"{str(path)!r} is no usable image: {error.message}", hint=error.hint
        ) from error


def _rank(axis: str) -> tuple[int, int]:
    order = ("t", "c", *SPATIAL)
    return (1, order.index(axis)) if axis in order else (0, 0)


def _transposed(data: Any, order: list[int]) -> Any:
    index = tuple(slice(None) if i in order else 0 for i in range(len(data.shape)))
    left = [i for i in range(len(data.shape)) if i in order]
    if not isinstance(data, np.ndarray) and not hasattr(data, "map_blocks"):
        import dask.array

        data = dask.array.from_zarr(data)  # type: ignore[no-untyped-call, unused-ignore]
    return data[index].transpose([left.index(i) for i in order])


def positive(value: object) -> float | None:
    """Return a number or text as a positive, finite number, or None."""
    number = _number(value)
    return number if number > 0 else None


def _number(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        return 0.0
    return number if np.isfinite(number) else 0.0


def name_axes(codes: Sequence[str]) -> tuple[str, ...]:
    """Return names for axes of which some are unknown (``"?"``); y and x are known.

    An unnamed axis is taken for z; a second one for t, a third for c.
    """
    names = list(codes)
    unknown = [i for i, code in enumerate(names) if code == "?"]
    free = [a for a in ("z", "t", "c") if a not in names]
    wanted = free[: len(unknown)] + [f"a{i}" for i in range(len(unknown) - len(free))]
    # In the order (..., t, c, z), so that nothing has to be transposed.
    for index, name in zip(unknown, sorted(wanted, key=_rank), strict=True):
        names[index] = name
    return tuple(names)


def guesses(axes: Sequence[str], shape: Sequence[int], unnamed: Iterable[int]) -> list[str]:
    """Return what to tell the user of axes that the file does not name; nothing of length 1."""
    taken = [f"{axes[i]} ({shape[i]} long)" for i in unnamed if shape[i] > 1]
    if not taken:
        return []
    return [f"The file does not say what all its axes mean; taken for {', '.join(taken)}."]


def slabs(measurement: Measurement) -> Iterator[tuple[tuple[Any, ...], NDArray[Any]]]:
    """Iterate over a measurement in the order of its voxels, at most 32 planes at a time.

    Yields
    ------
    tuple
        Where the slab lies, as an index, and its values.
    """
    for index in measurement.leading_indices():
        if measurement.spatial_ndim == 2:
            yield index, np.asarray(measurement.data[index])
            continue
        for start in range(0, measurement.spatial_shape[0], SLAB):
            where = (*index, slice(start, start + SLAB))
            yield where, np.asarray(measurement.data[where])


def document(measurement: Measurement, provenance: Provenance | Mapping[str, Any] | None) -> Any:
    """Return what is kept beside the values, under one key, JSON-safe."""
    # What was guessed on reading is stated from now on.
    dropped = ("path", NOTES, METADATA_KEY)
    metadata = {k: v for k, v in measurement.metadata.items() if k not in dropped}
    facts = {
        "name": measurement.name,
        "shape": list(measurement.shape),
        "axes": list(measurement.axes),
        "scale": list(measurement.scale),
        "units": list(measurement.units),
        "translate": list(measurement.translate),
        "metadata": metadata,
    }
    story = provenance.as_dict() if isinstance(provenance, Provenance) else provenance
    whole = {METADATA_KEY: {"facts": facts, "provenance": None if story is None else dict(story)}}
    try:
        return json.loads(json.dumps(whole))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"The metadata of {measurement.name!r} cannot be written as JSON: {error}.",
            hint="Keep to numbers, text, lists and dictionaries.",
        ) from error


def parse_json(text: str | bytes, path: Path) -> Any:
    """Return the JSON in ``text``.

    Raises
    ------
    FileError
        If it is too large or makes no sense.
    """
    if len(text) > JSON_LIMIT:
        raise damaged_json(path, f"{len(text)} bytes of text are too many")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged_json(path, error) from error


def damaged_json(path: Path, cause: Exception | str) -> FileError:
    """Return the error for text that is no JSON."""
    return FileError(
        f"The description in {str(path)!r} cannot be read: {cause}.", hint="Write the file again."
    )


def part_of(whole: Any, key: str) -> dict[str, Any] | None:
    """Return ``whole[METADATA_KEY][key]`` if it is there and a dictionary, else None."""
    for step in (METADATA_KEY, key):
        if not isinstance(whole, Mapping) or step not in whole:
            return None
        whole = whole[step]
    return dict(whole) if isinstance(whole, Mapping) else None


def by_axis(facts: Mapping[str, Any], key: str, axes: Sequence[str]) -> dict[str, Any]:
    """Return the entries of ``facts[key]`` by axis, where they fit ``axes``; else nothing."""
    values = facts.get(key)
    if list(facts.get("axes", ())) != list(axes) or not isinstance(values, list):
        return {}
    return dict(zip(axes, values, strict=True)) if len(values) == len(axes) else {}
