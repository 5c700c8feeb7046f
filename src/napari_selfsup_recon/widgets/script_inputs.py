"""What scripts give: options as models, or what they are made of; PSFs of several kinds."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs.psf_channels import GivenPsf
from napari_selfsup_recon.runs.words import validate
from napari_selfsup_recon.widgets.bridge import source_of, unwrap
from napari_selfsup_recon.widgets.choices import PsfChoice, PsfKind
from napari_selfsup_recon.widgets.request import channels_of, psf_of


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


def given_psf(psf: Any, image: Layer, axes: Sequence[str] | None) -> GivenPsf:
    """Return the PSF as runs take it, or a list of one for each channel.

    Parameters
    ----------
    psf
        A layer, an array or a file, or a list of them.
    image
        The layer that it shall serve.
    axes
        How its dimensions are read; as its labels say where None.
    """
    if isinstance(psf, list | tuple) and all(map(_is_image, psf)):
        return [_one_psf(one, image, axes) for one in psf]
    return _one_psf(psf, image, axes)


def _is_image(value: Any) -> bool:
    return isinstance(unwrap(value), Layer | str | os.PathLike) or hasattr(value, "shape")


def _one_psf(
    psf: Any, image: Layer, axes: Sequence[str] | None
) -> Measurement | np.ndarray[Any, Any]:
    if isinstance(psf, str | os.PathLike):
        from napari_selfsup_recon.io import volumes

        return volumes.read(psf)
    if not isinstance(unwrap(psf), Layer):
        return np.asarray(psf)
    measured = source_of(image, axes=axes).measurement
    choice = PsfChoice(kind=PsfKind.LAYER, layer=weakref.ref(unwrap(psf)))
    return psf_of(choice, measured.spatial_ndim, channels_of(measured, None))
