"""Between napari layers and measurements: what is read from a layer, what is put in a new one."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.utils.transforms import Affine

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import SPATIAL, Measurement, default_axes
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.core.units import canonical_unit, is_length
from napari_selfsup_recon.widgets.levels import array_of, factors, first_voxel

_SYNONYMS = {
    "depth": "z",
    "plane": "z",
    "height": "y",
    "row": "y",
    "width": "x",
    "column": "x",
    "col": "x",
    "time": "t",
    "channel": "c",
    "ch": "c",
}
# Which layer a result was made from; names may change and say nothing about identity.
_ORIGINS: weakref.WeakKeyDictionary[Layer, Callable[[], Layer | None]] = weakref.WeakKeyDictionary()


def unwrap(value: Any) -> Any:
    """Return the napari object behind the proxy that plugins are given.

    A proxy is a new object at each access, so it can be neither held weakly nor compared.
    """
    return getattr(value, "__wrapped__", value)


def guess_axes(layer: Layer) -> tuple[str, ...]:
    """Return one axis name a dimension: the layer's labels where they say enough, else a guess."""
    return labelled_axes(layer) or default_axes(layer.ndim)


def labelled_axes(layer: Layer) -> tuple[str, ...] | None:
    """Return one axis name a dimension; None where the layer's labels do not say enough."""
    labels = tuple(str(label).lower() for label in layer.axis_labels)
    axes = tuple(_SYNONYMS.get(label, label) for label in labels)
    usable = {"y", "x"} <= set(axes) and len(set(axes)) == len(axes)
    return axes if usable else None


def axes_choices(layer: Layer) -> tuple[tuple[str, ...], ...]:
    """Return the readings of the layer's dimensions that a person may choose from, best first."""
    table = {
        2: ("yx",),
        3: ("zyx", "tyx", "cyx"),
        4: ("tzyx", "czyx", "tcyx", "ctyx"),
        5: ("tczyx", "ctzyx"),
    }
    best = guess_axes(layer)
    others = (tuple(text) for text in table.get(layer.ndim, ()))
    return (best, *(axes for axes in others if axes != best))


def has_voxel_size(layer: Layer) -> bool:
    """Whether the layer says how large a pixel is, in a unit of length."""
    return all(is_length(str(unit)) for unit in tuple(layer.units)[-2:])


def set_voxel_size(
    layer: Layer, axes: Sequence[str], size: Sequence[float], unit: str, *, level: int = 0
) -> None:
    """Write the voxel size to the spatial axes of the layer: only where a person asks for it.

    Of a multiscale layer it is the size of the voxels of ``level``.
    """
    scale, units = list(layer.scale), [str(u) for u in layer.units]
    by = factors(layer, level)
    for axis, value in zip(spatial_dims(axes), size, strict=True):
        scale[axis], units[axis] = float(value) / by[axis], unit
    layer.scale, layer.units = scale, units


def is_psf(layer: Layer) -> bool:
    """Whether the layer is called a PSF."""
    return "psf" in layer.name.lower()


def is_result(layer: Layer) -> bool:
    """Whether the layer was made from another one here."""
    return layer in _ORIGINS


@dataclass(frozen=True, eq=False)
class Source:
    """A part of a layer as a measurement, with all that its results need to lie in the same place.

    It keeps the layer weakly and what it needs of it by value: the layer may be renamed or removed
    while the work goes on.

    Attributes
    ----------
    measurement
        The data that are worked on; leading axes that are held fixed are dropped.
    layer
        Weak reference to the layer.
    fixed
        For every axis of the layer the index that is held fixed, or None where the axis is kept.
    spatial
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``, ``units``, ``axis_labels``.
    display
        ``contrast_limits``, ``colormap``, ``gamma``: results are shown the way the source is.
    level
        Which resolution of a multiscale layer it is, 0 is the finest.
    """

    measurement: Measurement
    layer: weakref.ReferenceType[Layer]
    fixed: tuple[int | None, ...]
    spatial: dict[str, Any]
    display: dict[str, Any]
    level: int = 0

    @property
    def name(self) -> str:
        """Name of the layer now, or as it was if it is gone."""
        layer = self.layer()
        return str(layer.name) if layer is not None else self.measurement.name

    def without_data(self) -> Source:
        """Return the same place and name; the values are let go."""
        empty = np.broadcast_to(np.zeros((), self.measurement.dtype), self.measurement.shape)
        return replace(self, measurement=replace(self.measurement, data=empty))

    def placed(self, data: Any, offset: Sequence[int] = ()) -> tuple[Any, dict[str, Any]]:
        """Return ``data`` with all axes of the layer, and where it lies.

        Parameters
        ----------
        data
            Array with the axes of :attr:`measurement`, or its last ones only.
        offset
            First voxel of ``data`` along its axes; zeros where shorter (leading axes).

        Returns
        -------
        tuple
            The array with fixed axes put back (length 1) and the keyword arguments for a layer.
        """
        start = np.array([0 if index is None else index for index in self.fixed], dtype=float)
        free = [axis for axis, index in enumerate(self.fixed) if index is None]
        missing = len(free) - data.ndim
        data = data[(None,) * missing]
        given = (0,) * (data.ndim - len(offset)) + tuple(offset)
        start[free] += given
        for axis, index in enumerate(self.fixed):
            if index is not None:
                data = data[(slice(None),) * axis + (None,)]
        facts = dict(self.spatial)
        to_physical = Affine(
            scale=facts["scale"], rotate=facts["rotate"], shear=facts["shear"]
        ).linear_matrix
        facts["translate"] = np.asarray(facts["translate"]) + to_physical @ start
        return data, facts


def check_layer(layer: Layer) -> None:
    """Refuse layers that are no grey-scale images.

    Raises
    ------
    InputError
        If the layer is RGB or no image layer.
    """
    if not isinstance(unwrap(layer), Image):
        kind = type(unwrap(layer)).__name__.lower()
        raise InputError(
            f"{layer.name!r} is a {kind} layer.", hint="Choose a grey-scale image layer."
        )
    if layer.rgb:
        raise InputError(
            f"{layer.name!r} is a colour (RGB) image.",
            hint="Choose a grey-scale layer, or convert this one to luminance.",
        )


def source_of(
    layer: Layer,
    *,
    axes: Sequence[str] | None = None,
    fixed: dict[int, int] | None = None,
    level: int = 0,
) -> Source:
    """Return a layer, or some frames of it, as a measurement. Nothing is read or copied.

    Parameters
    ----------
    layer
        A grey-scale image layer; dask and zarr stay lazy.
    axes
        One name a dimension; read from the layer's labels or guessed where None.
    fixed
        Dimensions (counted from 0) that are held at an index, for example the time point shown.
    level
        Level of a multiscale layer, 0 is the finest.

    Raises
    ------
    InputError
        If the layer is no grey-scale image, its axes cannot be understood, or it has no such
        level.
    """
    layer = unwrap(layer)
    check_layer(layer)
    names = tuple(axes) if axes is not None else guess_axes(layer)
    data = array_of(layer, level)
    scale = np.array(layer.scale, dtype=float)
    translate = np.array(layer.translate, dtype=float)
    if level:
        own = Affine(scale=scale, rotate=layer.rotate, shear=layer.shear)
        translate += own.linear_matrix @ first_voxel(layer, level)
        scale *= factors(layer, level)
    fixed = fixed or {}
    keep = [axis for axis in range(layer.ndim) if axis not in fixed]
    index = tuple(fixed.get(axis, slice(None)) for axis in range(layer.ndim))
    measurement = Measurement(
        data[index] if fixed else data,
        axes=tuple(names[axis] for axis in keep),
        scale=tuple(float(abs(scale[axis])) for axis in keep),
        units=tuple(canonical_unit(layer.units[axis]) for axis in keep),
        translate=tuple(float(translate[axis]) for axis in keep),
        name=layer.name,
    )
    return Source(
        measurement=measurement,
        layer=weakref.ref(layer),
        fixed=tuple(fixed.get(axis) for axis in range(layer.ndim)),
        spatial={
            "scale": scale,
            "translate": translate,
            "rotate": np.array(layer.rotate, dtype=float),
            "shear": np.array(layer.shear, dtype=float),
            "affine": np.array(layer.affine, dtype=float),
            "units": tuple(layer.units),
            "axis_labels": tuple(layer.axis_labels),
        },
        display={
            "contrast_limits": tuple(layer.contrast_limits),
            "colormap": layer.colormap.name,
            "gamma": layer.gamma,
        },
        level=level,
    )


def spatial_dims(axes: Sequence[str]) -> tuple[int, ...]:
    """Return which dimensions are spatial."""
    return tuple(i for i, axis in enumerate(axes) if axis in SPATIAL)


def unique_name(wanted: str, taken: Sequence[str]) -> str:
    """Return ``wanted``, or ``"wanted [2]"`` and so on where the name is taken."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted} [{count}]"
    return name


def add_layer(
    viewer: Any,
    source: Source,
    data: Any,
    name: str,
    *,
    offset: Sequence[int] = (),
    provenance: dict[str, Any] | None = None,
    visible: bool = True,
) -> Image:
    """Add ``data`` to the viewer in the place and with the look of ``source``.

    Parameters
    ----------
    viewer
        The napari viewer.
    source
        What the data were made from.
    data
        Array with the axes of the measurement, or its last ones.
    name
        Wanted name; made unique.
    offset
        First voxel of ``data`` in the measurement.
    provenance
        Kept in ``layer.metadata["selfsup_recon"]``.
    visible
        Whether it is shown.
    """
    array, facts = source.placed(data, offset)
    viewer = unwrap(viewer)
    layer = Image(
        array,
        name=unique_name(name, [other.name for other in viewer.layers]),
        metadata={METADATA_KEY: provenance} if provenance is not None else {},
        visible=visible,
        multiscale=False,
        **facts,
        **source.display,
    )
    _ORIGINS[layer] = source.layer
    viewer.layers.append(layer)
    return layer


def origin_of(layer: Layer) -> Layer | None:
    """Return what ``layer`` was made from: itself if it is no result, None if that is gone."""
    reference = _ORIGINS.get(layer)
    return layer if reference is None else reference()


def remember_origin(layer: Layer, origin: Layer | None) -> None:
    """Keep that ``layer`` is a result, made from ``origin`` where that is known."""
    _ORIGINS[layer] = (lambda: None) if origin is None else weakref.ref(origin)
