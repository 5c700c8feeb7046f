"""OME-Zarr metadata (NGFF 0.1 to 0.5): axes, units, voxel sizes and channels, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import SPATIAL
from napari_selfsup_recon.core.units import PIXEL, canonical_unit
from napari_selfsup_recon.io._files import damaged

MOST_AXES = 5
CHANNELS = "channels"  # key of the channels' names in the metadata of a measurement


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of one resolution lie."""

    axes: tuple[str, ...]
    units: dict[str, str]
    scale: tuple[float, ...]
    translate: tuple[float, ...]


def attributes_of(group: Any) -> Mapping[str, Any]:
    """Return the OME attributes of a group: under the key ``ome`` since 0.5, bare before."""
    attributes = dict(group.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, Mapping) else attributes


def first_image(attributes: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Return the first description of a multiscale image.

    Raises
    ------
    FileError
        If there is none, or it follows a newer specification.
    """
    images = attributes["multiscales"]
    if not isinstance(images, list) or not images or not isinstance(images[0], Mapping):
        raise damaged(path, "OME-Zarr", "it describes no image")
    image: Mapping[str, Any] = images[0]
    if "coordinateSystems" in image and "axes" not in image:
        version = image.get("version") or attributes.get("version") or "0.6"
        raise FileError(
            f"{str(path)!r} is OME-Zarr {version}, which is newer than what can be read (0.5).",
            hint="Export it as OME-Zarr 0.5 or 0.4.",
        )
    return image


def dataset_paths(image: Mapping[str, Any], path: Path) -> list[str]:
    """Return the paths of the resolutions, full size first.

    Raises
    ------
    FileError
        If they are not described, or lead out of the folder.
    """
    datasets = image.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise damaged(path, "OME-Zarr", "it lists no resolutions")
    found = []
    for dataset in datasets:
        inner = dataset.get("path") if isinstance(dataset, Mapping) else None
        if not isinstance(inner, str):
            raise damaged(path, "OME-Zarr", "a resolution has no path")
        if {"..", "."} & set(inner.replace("\\", "/").split("/")) or inner.startswith("/"):
            raise damaged(path, "OME-Zarr", f"the path {inner!r} leads out of it")
        found.append(inner)
    return found


def geometry(
    image: Mapping[str, Any],
    level: int,
    shape: Sequence[int],
    full: Sequence[int],
    path: Path,
) -> Geometry:
    """Return axes, units and voxel sizes of one resolution.

    Parameters
    ----------
    image
        Description of the image.
    level
        Which resolution.
    shape, full
        Shape of that resolution and of full size.
    path
        For messages.

    Raises
    ------
    FileError
        If the description makes no sense or does not fit the array.
    """
    ndim = len(shape)
    axes, units = _axes(image.get("axes"), ndim, path)
    steps = [*_steps(image["datasets"][level], path), *_steps(image, path)]
    scale, translate = [1.0] * ndim, [0.0] * ndim
    for step in steps:  # applied one after the other
        kind = step.get("type")
        if kind == "identity":
            continue
        if kind not in ("scale", "translation"):
            raise FileError(
                f"{str(path)!r} places its voxels by a transformation that is not known: {kind!r}.",
                hint="Export it as OME-Zarr 0.5 or 0.4, with scale and translation only.",
            )
        vector = _vector(step, str(kind), ndim, path)
        if kind == "scale":
            scale = [s * v for s, v in zip(scale, vector, strict=True)]
            translate = [t * v for t, v in zip(translate, vector, strict=True)]
        else:
            translate = [t + v for t, v in zip(translate, vector, strict=True)]
    if not steps and len(full) == ndim:  # before 0.4: only relative to full size
        scale = [n / m for n, m in zip(full, shape, strict=True)]
    return Geometry(axes, units, tuple(scale), tuple(translate))


def _axes(described: Any, ndim: int, path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    if not described:  # 0.1 and 0.2 have five axes in this order
        return ("t", "c", *SPATIAL)[-ndim:], {}
    if not isinstance(described, list) or len(described) != ndim:
        raise damaged(path, "OME-Zarr", f"its axes do not fit an array of {ndim} axes")
    facts = [a if isinstance(a, Mapping) else {"name": a} for a in described]
    if not all(isinstance(fact.get("name"), str) for fact in facts):
        raise damaged(path, "OME-Zarr", "an axis has no name")
    names = [fact["name"].lower() for fact in facts]
    # Names are free, types are not: space, time and channel get the names that are used inside.
    kinds = [fact.get("type") for fact in facts]
    space = [i for i, kind in enumerate(kinds) if kind == "space"]
    if 2 <= len(space) <= 3 and not {names[i] for i in space} <= set(SPATIAL):
        for i, name in zip(space, SPATIAL[-len(space) :], strict=True):
            names[i] = name
    for kind, name in (("time", "t"), ("channel", "c")):
        if kinds.count(kind) == 1:
            names[kinds.index(kind)] = name
    if len(set(names)) != ndim:
        raise damaged(path, "OME-Zarr", f"it names an axis twice: {', '.join(names)}")
    units = {
        name: unit
        for name, fact in zip(names, facts, strict=True)
        if isinstance(fact.get("unit"), str) and (unit := canonical_unit(fact["unit"])) != PIXEL
    }
    return tuple(names), units


def _steps(owner: Mapping[str, Any], path: Path) -> list[Mapping[str, Any]]:
    steps = owner.get("coordinateTransformations") or []
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise damaged(path, "OME-Zarr", "its coordinate transformations make no sense")
    return steps


def _vector(step: Mapping[str, Any], kind: str, ndim: int, path: Path) -> list[float]:
    values = step.get(kind)
    if not isinstance(values, list) or len(values) != ndim:
        raise damaged(path, "OME-Zarr", f"a {kind} does not have {ndim} numbers")
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        raise damaged(path, "OME-Zarr", f"a {kind} holds something else than numbers")
    numbers = [float(v) if abs(v) < 1e300 else math.nan for v in values]
    if any(math.isnan(v) for v in numbers):
        raise damaged(path, "OME-Zarr", f"a {kind} holds numbers that are not finite")
    return numbers


def channel_names(attributes: Mapping[str, Any], count: int) -> list[str]:
    """Return the names of ``count`` channels that OMERO's metadata give, or an empty list."""
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list) or len(channels) != count:
        return []
    labels = [c.get("label") if isinstance(c, Mapping) else None for c in channels]
    return [str(label) for label in labels] if all(isinstance(x, str) for x in labels) else []
