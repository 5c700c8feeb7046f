"""A trained model on another measurement: whether it fits, and the plan of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement, check_image
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.recipe import Recipe
from napari_selfsup_recon.runs._selection import preview_slices
from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.kept import Kept
from napari_selfsup_recon.runs.memory import device_memory, memory_needed
from napari_selfsup_recon.runs.plan import RunPlan, resolve
from napari_selfsup_recon.runs.problem import Given
from napari_selfsup_recon.runs.psf_channels import CHANNEL, Psf, channel_count

# Voxel sizes that differ by less are the same: some are written with few digits.
_SAME_SIZE = 0.02


def config_of(kept: Kept) -> RunConfig:
    """Return the run that a model without a history belongs to.

    Raises
    ------
    InputError
        If it reconstructs: of the instrument there is no more than its operator.
    """
    kind = kept.physics.kind if isinstance(kept.physics, Recipe) else ""
    if kind not in ("blur", "identity"):
        raise InputError(
            "How measurements are made ready for this model is not known.",
            hint="Apply it in a script: load(path).reconstruct(measurement).",
        )
    blurred = kind == "blur"
    return RunConfig(
        task="deconvolve" if blurred else "denoise",
        method=kept.key,
        baseline=None,
        physics=PhysicsChoice(psf="array" if blurred else "none"),
    )


def why_not(
    models: Sequence[Kept],
    config: RunConfig,
    learned_from: Mapping[str, Any],
    measurement: Measurement,
) -> str:
    """Return why models cannot be applied to a measurement, as a sentence; empty if they can.

    Parameters
    ----------
    models
        One a frame, or one for all.
    config
        Of the run that trained them.
    learned_from
        Facts of what they were trained on (:meth:`Measurement.describe`); may be empty.
    measurement
        What they are to be applied to.
    """
    shape = tuple(learned_from.get("shape", ()))
    if config.task == "reconstruct":
        own = measurement.shape
        first = 1 if len(own) > 2 else 0  # there may be any number of slices
        if len(shape) != len(own) or shape[first:] != own[first:]:
            return f"The model is for measurements of shape {_by(shape)}, not {_by(own)}."
        return ""
    ndim = len(_trained_shape(models[0]))
    if measurement.spatial_ndim != ndim:
        kinds = {2: "images (y, x)", 3: "volumes (z, y, x)"}
        return f"The model is for {kinds.get(ndim, f'{ndim} axes')}."
    frames = prod(measurement.leading_shape)
    if len(models) > 1 and frames != len(models):
        return f"There are {len(models)} models, one a frame, but {frames} frames."
    scale, units = learned_from.get("scale", ()), learned_from.get("units", ())
    if config.task == "deconvolve" and tuple(units[-ndim:]) == measurement.units[-ndim:]:
        pairs = list(zip(scale[-ndim:], measurement.spatial_scale, strict=True))
        if any(abs(a - b) > _SAME_SIZE * max(a, b) for a, b in pairs):
            wanted, found = (_by([f"{pair[n]:.4g}" for pair in pairs]) for n in (0, 1))
            return f"The PSF of the model is for voxels of {wanted} {units[-1]}, not {found}."
    return ""


def plan_applied(
    models: Sequence[Kept],
    config: RunConfig,
    measurement: Measurement,
    *,
    given: Given | None = None,
) -> RunPlan:
    """Return the plan that applies trained models to a measurement, all of it.

    Parameters
    ----------
    models
        See :func:`why_not`.
    config
        Of the run that trained them.
    measurement
        What they are applied to.
    given
        See :func:`~napari_selfsup_recon.runs.plan.resolve`.

    Raises
    ------
    InputError
        If the measurement cannot be used.
    """
    kept = models[0]
    options = kept.options
    config = config.model_copy(
        update={
            "method": kept.key,
            "options": options.model_dump(exclude_defaults=True),
            "baseline": None,
            "region": None,
            "frames": None,
            "preview_region": None,
            "trust": False,
        }
    )
    if config.task == "reconstruct":
        return resolve(config, measurement, given=given)
    METHODS.find(kept.key)
    check_image(measurement)
    device = str(getattr(options, "device", "auto"))
    return RunPlan(
        config=config,
        measurement=measurement,
        psfs=psfs_of_models(models, measurement),
        psf_report=(),
        method_options=options,
        baseline_options=None,
        device=device,
        memory_needed=memory_needed(options, measurement, kept.psf),
        memory_free=device_memory(device),
        preview_region=preview_slices(None, measurement.spatial_shape),
    )


def psfs_of_models(models: Sequence[Kept], measurement: Measurement) -> tuple[Psf, ...]:
    """Return the PSF that the models were trained with, or those of the channels."""
    own = [model.psf for model in models if model.psf is not None]
    alike = all(np.array_equal(kernel, own[0]) for kernel in own)
    if len(own) < 2 or alike or not channel_count(measurement):
        return tuple(own[:1])
    frames = np.arange(len(own)).reshape(measurement.leading_shape)
    by_channel = np.moveaxis(frames, measurement.axes.index(CHANNEL), 0)
    return tuple(own[numbers.flat[0]] for numbers in by_channel[..., None])


def _trained_shape(kept: Kept) -> Sequence[int]:
    physics = kept.physics
    if isinstance(physics, Recipe):
        return tuple(physics.params.get("shape", ()))
    return physics.measurement_shape


def _by(sizes: Sequence[Any]) -> str:
    return " x ".join(map(str, sizes)) or "another kind"
