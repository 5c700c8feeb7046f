"""Options as scripts give them: models, or what they are made of."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs.words import validate
from napari_selfsup_recon.widgets.bridge import source_of, unwrap
from napari_selfsup_recon.widgets.choices import PsfChoice, PsfKind
from napari_selfsup_recon.widgets.request import psf_of


def model_of(kind: type[Options], given: Options | Mapping[str, Any], what: str) -> Any:
    """Return ``given`` as a ``kind``; what does not fit is told in words."""
    return given if isinstance(given, kind) else validate(kind, dict(given), where=what)


def values_of(options: Options | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return options that are not the usual ones, by name."""
    if options is None:
        return {}
    if isinstance(options, Options):
        return options.model_dump(exclude_defaults=True)
    return dict(options)


def psf_given(
    psf: Any, image: Layer, axes: Sequence[str] | None
) -> Measurement | np.ndarray[Any, Any]:
    """Return the PSF of ``image`` that a layer or an array holds."""
    if not isinstance(unwrap(psf), Layer):
        return np.asarray(psf)
    ndim = source_of(image, axes=axes).measurement.spatial_ndim
    return psf_of(PsfChoice(kind=PsfKind.LAYER, layer=weakref.ref(unwrap(psf))), ndim)
