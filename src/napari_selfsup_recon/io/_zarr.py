"""Zarr: plain arrays and OME-Zarr (NGFF 0.1 to 0.5), read lazily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement, default_axes
from napari_selfsup_recon.io import _ngff
from napari_selfsup_recon.io._facts import JSON_LIMIT, arrange, by_axis, guesses, part_of
from napari_selfsup_recon.io._files import check_room, damaged

MARKS = ("zarr.json", ".zgroup", ".zarray")
DESCRIPTIONS = (*MARKS, ".zattrs", ".zmetadata")


def is_store(path: Path) -> bool:
    """Return whether ``path`` is a folder that holds a zarr array or group."""
    return path.is_dir() and any((path / mark).is_file() for mark in MARKS)


def read_zarr(path: Path, *, scene: int = 0, level: int = 0) -> Measurement:
    """Open an array or an OME-Zarr image; its voxels are read when they are needed.

    Parameters
    ----------
    path
        Folder of a zarr array, an OME-Zarr image, or a collection of OME-Zarr images.
    scene
        Which image of a collection.
    level
        Which resolution of a multiscale image, 0 is full size.

    Raises
    ------
    FileError
        If it is no zarr store, is damaged, has no such scene or level, or several arrays to choose
        from.
    """
    if not is_store(path):
        raise FileError(
            f"{str(path)!r} is a folder without zarr data.",
            hint="Choose the folder that holds zarr.json, .zarray or .zgroup.",
        )
    try:
        _check_descriptions(path, path)
        node = zarr.open(str(path), mode="r")
        return _read(node, path, scene, level)
    except FileError:
        raise
    except Exception as error:  # whatever a hostile description makes zarr do
        raise damaged(path, "a zarr store", error) from error


def count_images(path: Path) -> int:
    """Return how many images a zarr folder holds: those of a collection, else one.

    Raises
    ------
    FileError
        If it is no zarr store, or is damaged.
    """
    if not is_store(path):
        raise FileError(
            f"{str(path)!r} is a folder without zarr data.",
            hint="Choose the folder that holds zarr.json, .zarray or .zgroup.",
        )
    try:
        _check_descriptions(path, path)
        node = zarr.open(str(path), mode="r")
        if isinstance(node, zarr.Array):
            return 1
        scenes = _scenes(node, _ngff.attributes_of(node), path)
    except FileError:
        raise
    except Exception as error:  # whatever a hostile description makes zarr do
        raise damaged(path, "a zarr store", error) from error
    return 1 if scenes is None else len(scenes)


def _check_descriptions(folder: Path, path: Path) -> None:
    """Refuse descriptions that are too large to be read in full, which is how zarr reads them."""
    for name in DESCRIPTIONS:
        file = folder / name
        if file.is_file() and file.stat().st_size > JSON_LIMIT:
            raise damaged(path, "a zarr store", f"{name} has {file.stat().st_size} bytes")


def _inner(group: Any, name: str, folder: Path, path: Path) -> Any:
    _check_descriptions(folder / name, path)
    try:
        return group[name]
    except KeyError:
        raise damaged(path, "a zarr store", f"{name!r} is missing") from None


def _read(node: Any, path: Path, scene: int, level: int) -> Measurement:
    if isinstance(node, zarr.Array):
        _only(scene, level, path)
        return _plain(node, path)
    attributes, folder = _ngff.attributes_of(node), path
    if "plate" in attributes:
        raise FileError(
            f"{str(path)!r} is a plate with many images.",
            hint="Choose one of its wells, for example its folder A/1.",
        )
    scenes = _scenes(node, attributes, path)
    if scenes is not None:
        if not 0 <= scene < len(scenes):
            raise FileError(
                f"{str(path)!r} has {len(scenes)} image(s); there is no number {scene}.",
                hint=f"Choose a scene from 0 to {len(scenes) - 1}."
                if scenes
                else "Export it again.",
            )
        node = _inner(node, scenes[scene], path, path)
        attributes, folder = _ngff.attributes_of(node), path / scenes[scene]
    elif scene != 0:
        raise FileError(f"{str(path)!r} holds one image.", hint="Choose scene 0.")
    if "multiscales" in attributes:
        return _multiscale(node, attributes, folder, path, level)
    _only(0, level, path)
    arrays = list(node.array_keys())
    if len(arrays) != 1:
        names = ", ".join(arrays[:8]) or "none"
        raise FileError(
            f"{str(path)!r} holds {len(arrays)} arrays ({names}) and no OME-Zarr image.",
            hint="Choose the folder of one array.",
        )
    return _plain(_inner(node, arrays[0], folder, path), path)


def _only(scene: int, level: int, path: Path) -> None:
    if scene or level:
        raise FileError(
            f"{str(path)!r} holds one image of one resolution.", hint="Choose scene 0 and level 0."
        )


def _scenes(node: Any, attributes: Mapping[str, Any], path: Path) -> list[str] | None:
    """Return the folders of the images of a collection or a well; None if it is neither."""
    if "multiscales" in attributes:
        return None
    well = attributes.get("well")
    if isinstance(well, Mapping) and isinstance(well.get("images"), list):
        found = [i.get("path") if isinstance(i, Mapping) else None for i in well["images"]]
    elif "bioformats2raw.layout" in attributes:
        series = None
        if "OME" in node:
            series = _ngff.attributes_of(_inner(node, "OME", path, path)).get("series")
        numbered = sorted((k for k in node.group_keys() if k.isdigit()), key=int)
        found = series if isinstance(series, list) else numbered
    else:
        return None
    if not all(isinstance(name, str) for name in found):
        raise damaged(path, "OME-Zarr", "an image of the collection has no path")
    return [str(name) for name in found]


def _checked(array: Any, path: Path) -> Any:
    """Refuse chunks that alone would fill the memory; the whole may be larger than it."""
    if not isinstance(array, zarr.Array):
        raise damaged(path, "a zarr store", "a resolution is no array")
    description = array.metadata
    codecs = [getattr(description, key, None) for key in ("codecs", "filters", "compressor")]
    if "pickle" in repr(codecs).lower():
        raise FileError(
            f"{str(path)!r} holds Python objects, which could run code when they are read.",
            hint="Save the image as an array of numbers.",
        )
    check_room(path, prod(array.chunks) * array.dtype.itemsize)
    if np.dtype(array.dtype).kind not in "uifb":
        raise FileError(
            f"{str(path)!r} holds {array.dtype} values, which are no grey values.",
            hint="Convert it to a real-valued image first.",
        )
    return array


def _plain(array: Any, path: Path) -> Measurement:
    array = _checked(array, path)
    ndim = len(array.shape)
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if isinstance(names, Sequence) and len(names) == ndim:
        lower = tuple(n.lower() if isinstance(n, str) else "?" for n in names)
        if {"y", "x"} <= set(lower) and "?" not in lower and len(set(lower)) == ndim:
            return arrange(array, lower, path)
    axes = default_axes(ndim)
    return arrange(array, axes, path, notes=guesses(axes, array.shape, range(ndim - 2)))


def _multiscale(
    group: Any, attributes: Mapping[str, Any], folder: Path, path: Path, level: int
) -> Measurement:
    image = _ngff.first_image(attributes, path)
    datasets = _ngff.dataset_paths(image, path)
    if not 0 <= level < len(datasets):
        raise FileError(
            f"{str(path)!r} has {len(datasets)} resolution(s); there is no number {level}.",
            hint=f"Choose a level from 0 to {len(datasets) - 1}.",
        )
    array = _checked(_inner(group, datasets[level], folder, path), path)
    full = array if level == 0 else _checked(_inner(group, datasets[0], folder, path), path)
    place = _ngff.geometry(image, level, array.shape, full.shape, path)
    facts = part_of(dict(group.attrs), "facts") or {}
    own = facts.get("metadata")
    metadata = dict(own) if isinstance(own, dict) else {}
    sizes = dict(zip(place.axes, array.shape, strict=True))
    labels = _ngff.channel_names(attributes, int(sizes.get("c", 1)))
    if labels:
        metadata.setdefault(_ngff.CHANNELS, labels)
    name = image.get("name") if facts else None
    return arrange(
        array,
        place.axes,
        path,
        scale=dict(zip(place.axes, place.scale, strict=True)),
        units={**by_axis(facts, "units", facts.get("axes", ())), **place.units},
        translate=dict(zip(place.axes, place.translate, strict=True)),
        name=name if isinstance(name, str) else None,
        metadata=metadata,
    )


def read_note(path: Path) -> Any:
    """Return the attributes that were kept with an image, or None."""
    if not is_store(path):
        return None
    try:
        _check_descriptions(path, path)
        return dict(zarr.open(str(path), mode="r").attrs)
    except FileError:
        raise
    except Exception as error:
        raise damaged(path, "a zarr store", error) from error
