"""Zarr: plain arrays and OME-Zarr (NGFF 0.1 to 0.5), read lazily."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import SPATIAL, Measurement, default_axes
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.core.units import PIXEL, canonical_unit
from napari_selfsup_recon.io._facts import SLAB, arrange, by_axis, document, part_of, slabs
from napari_selfsup_recon.io._files import check_room, damaged

MARKS = ("zarr.json", ".zgroup", ".zarray")
NGFF = "0.5"
CHUNK = (SLAB, 256, 256)


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
        node = zarr.open(str(path), mode="r")
        return _read(node, path, scene, level)
    except FileError:
        raise
    except Exception as error:
        raise damaged(path, "a zarr store", error) from error


def _read(node: Any, path: Path, scene: int, level: int) -> Measurement:
    if isinstance(node, zarr.Array):
        return _plain(node, path)
    attributes = _ngff(node)
    if "plate" in attributes:
        raise FileError(
            f"{str(path)!r} is a plate with many images.",
            hint="Choose one of them, for example its folder A/1/0.",
        )
    if "multiscales" not in attributes and "bioformats2raw.layout" in attributes:
        scenes = sorted((k for k in node.group_keys() if k.isdigit()), key=int)
        if not 0 <= scene < len(scenes):
            raise FileError(
                f"{str(path)!r} has {len(scenes)} image(s); there is no number {scene}.",
                hint=f"Choose a scene from 0 to {len(scenes) - 1}.",
            )
        node = node[scenes[scene]]
        attributes = _ngff(node)
    elif scene != 0:
        raise FileError(f"{str(path)!r} holds one image.", hint="Choose scene 0.")
    if "multiscales" in attributes:
        return _multiscale(node, attributes["multiscales"][0], path, level)
    arrays = list(node.array_keys())
    if len(arrays) != 1:
        names = ", ".join(arrays[:8]) or "none"
        raise FileError(
            f"{str(path)!r} holds {len(arrays)} arrays ({names}) and no OME-Zarr image.",
            hint="Choose the folder of one array.",
        )
    return _plain(node[arrays[0]], path)


def _ngff(group: Any) -> Mapping[str, Any]:
    attributes = dict(group.attrs)
    inner = attributes.get("ome")  # NGFF 0.5
    return inner if isinstance(inner, Mapping) else attributes


def _checked(array: Any, path: Path) -> Any:
    """Refuse chunks that alone would fill the memory; the whole may be larger than it."""
    check_room(path, prod(array.chunks) * array.dtype.itemsize)
    if np.dtype(array.dtype).kind not in "uifb":
        raise FileError(
            f"{str(path)!r} holds {array.dtype} values, which are no grey values.",
            hint="Convert it to a real-valued image first.",
        )
    return array


def _plain(array: Any, path: Path) -> Measurement:
    ndim = len(array.shape)
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    axes = default_axes(ndim)
    if names and len(names) == ndim and all(isinstance(n, str) for n in names):
        lower = tuple(n.lower() for n in names)
        axes = lower if {"y", "x"} <= set(lower) and len(set(lower)) == ndim else axes
    return arrange(_checked(array, path), axes, path)


def _multiscale(group: Any, image: Mapping[str, Any], path: Path, level: int) -> Measurement:
    datasets = image["datasets"]
    if not 0 <= level < len(datasets):
        raise FileError(
            f"{str(path)!r} has {len(datasets)} resolution(s); there is no number {level}.",
            hint=f"Choose a level from 0 to {len(datasets) - 1}.",
        )
    array = _checked(group[str(datasets[level]["path"])], path)
    ndim = len(array.shape)
    described = [a if isinstance(a, Mapping) else {"name": a} for a in image.get("axes", ())]
    axes = tuple(str(a["name"]).lower() for a in described) or ("t", "c", *SPATIAL)[-ndim:]
    scale, translate = np.ones(ndim), np.zeros(ndim)
    steps = [
        *datasets[level].get("coordinateTransformations", ()),
        *image.get("coordinateTransformations", ()),
    ]
    for step in steps:  # applied one after the other
        if step.get("type") == "scale":
            scale, translate = scale * step["scale"], translate * step["scale"]
        elif step.get("type") == "translation":
            translate = translate + step["translation"]
    known = {
        axis: unit
        for axis, fact in zip(axes, described, strict=False)
        if (unit := canonical_unit(fact.get("unit"))) != PIXEL
    }
    facts = part_of(dict(group.attrs), "facts") or {}
    kept = by_axis(facts, "units", facts.get("axes", ()))
    metadata, name = facts.get("metadata"), image.get("name") if facts else None
    return arrange(
        array,
        axes,
        path,
        scale=dict(zip(axes, scale.tolist(), strict=True)),
        units={**kept, **known},
        translate=dict(zip(axes, translate.tolist(), strict=True)),
        name=name if isinstance(name, str) else None,
        metadata=metadata if isinstance(metadata, dict) else None,
    )


def read_note(path: Path) -> Any:
    """Return the attributes that :func:`write_zarr` kept, or None."""
    if not is_store(path):
        return None
    try:
        return dict(zarr.open(str(path), mode="r").attrs)
    except Exception as error:
        raise damaged(path, "a zarr store", error) from error


def write_zarr(part: Path, measurement: Measurement, provenance: Any) -> None:
    """Write an OME-Zarr image (NGFF 0.5) of one resolution, bit by bit.

    The provenance is the attribute ``selfsup_recon`` of the group.
    """
    note = document(measurement, provenance)
    lead = len(measurement.leading_shape)
    chunks = (1,) * lead + tuple(
        min(n, c)
        for n, c in zip(
            measurement.spatial_shape, CHUNK[3 - measurement.spatial_ndim :], strict=True
        )
    )
    group = zarr.open_group(str(part), mode="w", zarr_format=3)
    array = group.create_array(
        "0",
        shape=measurement.shape,
        chunks=chunks,
        dtype=measurement.dtype.newbyteorder("="),
        dimension_names=measurement.axes,
    )
    for where, values in slabs(measurement):
        array[where] = values
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": list(measurement.scale)}]
    if any(measurement.translate):
        transformations.append({"type": "translation", "translation": list(measurement.translate)})
    group.attrs.update(
        {
            "ome": {
                "version": NGFF,
                "multiscales": [
                    {
                        "name": measurement.name,
                        "axes": _axes(measurement),
                        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
                    }
                ],
            },
            METADATA_KEY: note[METADATA_KEY],
        }
    )


def _axes(measurement: Measurement) -> list[dict[str, str]]:
    kinds = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
    described = []
    for axis, unit in zip(measurement.axes, measurement.units, strict=True):
        fact = {"name": axis}
        if axis in kinds:
            fact["type"] = kinds[axis]
        if unit != PIXEL:
            fact["unit"] = unit
        described.append(fact)
    return described
