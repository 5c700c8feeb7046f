"""TIFF: ImageJ hyperstacks, OME-TIFF and plain stacks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import _ome
from napari_selfsup_recon.io._facts import (
    arrange,
    by_axis,
    document,
    guesses,
    name_axes,
    parse_json,
    part_of,
    slabs,
)
from napari_selfsup_recon.io._files import check_room, damaged
from napari_selfsup_recon.io._tiff_spacing import imagej_spacing, resolution_spacing

UNNAMED = "QI"  # tifffile's codes of axes that the file does not name
MAP_FROM = 2**28  # bytes; larger uncompressed files are mapped, not loaded
# Reports of tifffile after which it goes on with a part of the image.
BROKEN = ("invalid page offset", "invalid value offset", "corrupted", "missing data", "segments")


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect what tifffile logs in this thread, instead of printing it."""
    heard: list[str] = []
    here = threading.get_ident()

    def listen(record: logging.LogRecord) -> bool:
        if record.thread != here:
            return True
        heard.append(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(listen)
    try:
        yield heard
    finally:
        logger.removeFilter(listen)


def read_tiff(path: Path, *, scene: int = 0, level: int = 0) -> Measurement:
    """Read one image of a TIFF file.

    Parameters
    ----------
    path
        An existing file.
    scene
        Which image of a file with several.
    level
        Which level of a pyramid, 0 is full size.

    Raises
    ------
    FileError
        If the file is damaged or incomplete, in colour, too large for the memory, or has no such
        scene or level.
    """
    with _listening() as heard:
        try:
            with tifffile.TiffFile(path) as tif:
                return _read(tif, path, scene, level, heard)
        except FileError:
            raise
        except MemoryError as error:
            raise damaged(path, "a TIFF", "it claims to be larger than the memory") from error
        except Exception as error:  # whatever a hostile header makes a decoder do
            raise damaged(path, "a TIFF", error) from error


def count_images(path: Path) -> int:
    """Return how many images a TIFF file holds.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    with _listening():
        try:
            with tifffile.TiffFile(path) as tif:
                return len(tif.series)
        except Exception as error:  # whatever a hostile header makes a decoder do
            raise damaged(path, "a TIFF", error) from error


def _read(
    tif: tifffile.TiffFile, path: Path, scene: int, level: int, heard: list[str]
) -> Measurement:
    images = tif.series
    _complain(path, heard)
    if not images:
        raise damaged(path, "a TIFF", "it holds no image")
    if not 0 <= scene < len(images):
        raise FileError(
            f"{str(path)!r} has {len(images)} image(s); there is no number {scene}.",
            hint=f"Choose a scene from 0 to {len(images) - 1}.",
        )
    full = images[scene]
    if not 0 <= level < len(full.levels):
        raise FileError(
            f"{str(path)!r} has {len(full.levels)} pyramid level(s); there is no number {level}.",
            hint=f"Choose a level from 0 to {len(full.levels) - 1}.",
        )
    series = full.levels[level]
    axes = _axes(series, path)
    _check_extent(series, path)
    scale, units, facts, name = _describe(tif, scene, axes, path)
    for axis, whole, part in zip(axes, full.shape, series.shape, strict=True):
        if axis in scale and axis in ("z", "y", "x"):
            scale[axis] *= whole / part
    data = _load(series, path)
    _complain(path, heard)
    return arrange(
        data,
        axes,
        path,
        scale=scale,
        units=units,
        translate=by_axis(facts, "translate", facts.get("axes", ())),
        name=name,
        metadata=facts.get("metadata") if isinstance(facts.get("metadata"), dict) else None,
        notes=guesses(axes, series.shape, _unnamed(series)),
    )


def _complain(path: Path, heard: list[str]) -> None:
    for message in heard:
        if any(word in message for word in BROKEN):
            raise damaged(path, "a TIFF", message.rpartition("> ")[2])


def _axes(series: tifffile.TiffPageSeries, path: Path) -> tuple[str, ...]:
    codes = series.axes.upper()
    samples = series.shape[codes.index("S")] if "S" in codes else 1
    photometric = int(getattr(series.keyframe, "photometric", 1))
    if samples > 1 and (photometric == tifffile.PHOTOMETRIC.RGB or samples in (3, 4)):
        raise FileError(
            f"{str(path)!r} is a colour image (RGB).",
            hint="Choose one channel, or convert it to grey-scale first.",
        )
    known = {"S": "s" if samples == 1 or "C" in codes else "c"} | dict.fromkeys(UNNAMED, "?")
    return name_axes([known.get(code, code.lower()) for code in codes])


def _unnamed(series: tifffile.TiffPageSeries) -> list[int]:
    return [i for i, code in enumerate(series.axes.upper()) if code in UNNAMED]


def _check_extent(series: tifffile.TiffPageSeries, path: Path) -> None:
    """Refuse files that end before their voxels do, and sizes that cannot be."""
    count = prod(series.shape) * series.dtype.itemsize
    pages = list(series.pages)
    missing = sum(page is None for page in pages)
    if missing:
        raise damaged(path, "a TIFF", f"{missing} of {len(pages)} planes are missing")
    if series.dataoffset is not None:
        ends = series.dataoffset + count
    else:
        wanted = prod(series.keyframe.chunked)
        there = min(len(page.dataoffsets) for page in pages if page is not None)
        if there < wanted:
            raise damaged(path, "a TIFF", f"{there} of {wanted} pieces of a plane are there")
        ends = max(
            (
                offset + length
                for page in pages
                if page is not None
                for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False)
            ),
            default=0,
        )
    size = path.stat().st_size
    if ends > size and len({page.parent for page in pages if page is not None}) == 1:
        raise damaged(path, "a TIFF", f"it ends after {size} of {ends} bytes")
    if series.dataoffset is None or count < MAP_FROM:
        check_room(path, count)


def _load(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray[Any, Any]:
    count = prod(series.shape) * series.dtype.itemsize
    if series.dataoffset is not None and count >= MAP_FROM:
        order = series.keyframe.parent.byteorder
        return np.memmap(
            path,
            dtype=series.dtype.newbyteorder(order),
            mode="r",
            offset=series.dataoffset,
            shape=tuple(series.shape),
        )
    try:
        data = series.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        data = _decode_with_pillow(series, path)
    if tuple(data.shape) != tuple(series.shape):
        raise damaged(path, "a TIFF", f"it holds {data.shape} of {series.shape} voxels")
    return np.asarray(data, dtype=data.dtype.newbyteorder("="))


def _decode_with_pillow(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray[Any, Any]:
    """Decode compressions (LZW, JPEG) that tifffile alone does not know."""
    from PIL import Image

    planes = []
    with Image.open(path) as image:
        for page in series.pages:
            if page is not None:
                image.seek(int(page.index))
                planes.append(np.asarray(image))
    data = np.stack(planes)
    if data.dtype != series.dtype or data.size != prod(series.shape):
        raise FileError(
            f"{str(path)!r} is compressed in a way that cannot be decoded here.",
            hint="Install the package imagecodecs, or save the file without compression.",
        )
    return data.reshape(series.shape)


def _describe(
    tif: tifffile.TiffFile, scene: int, axes: tuple[str, ...], path: Path
) -> tuple[dict[str, float], dict[str, str], dict[str, Any], str | None]:
    """Return scale, units, our own facts and the name of the image."""
    if tif.is_ome and tif.ome_metadata:
        root = _ome.parse(tif.ome_metadata)
        text = _ome.note(root)
        facts = part_of(parse_json(text, path), "facts") if text else None
        facts = facts or {}
        kept = {key: by_axis(facts, key, facts.get("axes", ())) for key in ("scale", "units")}
        scale, units = _ome.merge(*_ome.spacing(root, scene), kept)
        return scale, units, facts, _ome.image_name(root, scene) if facts else None
    if tif.is_imagej:
        scale, units = imagej_spacing(tif)
    else:
        scale, units = resolution_spacing(tif)
    return scale, units, {}, None


def read_note(path: Path) -> Any:
    """Return the JSON that :func:`write_tiff` kept, or None."""
    with _listening():
        try:
            with tifffile.TiffFile(path) as tif:
                text = _ome.note(_ome.parse(tif.ome_metadata)) if tif.ome_metadata else None
        except Exception as error:
            raise damaged(path, "a TIFF", error) from error
    return parse_json(text, path) if text else None


def write_tiff(part: Path, measurement: Measurement, provenance: Any) -> None:
    """Write an OME-TIFF, plane by plane.

    The provenance is a comment annotation of the OME-XML, in the namespace ``_ome.NAMESPACE``.

    Raises
    ------
    InputError
        If OME-TIFF cannot hold such an image.
    """
    xml = _ome.build(measurement, document(measurement, provenance))
    shape = measurement.shape
    lead = shape[:-2]

    def planes() -> Iterator[np.ndarray[Any, Any]]:
        for _, values in slabs(measurement):
            yield from np.ascontiguousarray(values).reshape(-1, *shape[-2:])

    count = prod(lead)
    with _listening():
        tifffile.imwrite(
            part,
            planes(),
            shape=(count, *shape[-2:]) if lead else shape,
            dtype=measurement.dtype.newbyteorder("<"),
            byteorder="<",
            photometric="minisblack",
            description=xml,
            metadata=None,
            bigtiff=prod(shape) * measurement.dtype.itemsize > 2**31,
        )
