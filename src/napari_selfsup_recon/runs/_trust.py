"""What a learned result may be trusted for: the meter before the training, companions after it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from time import perf_counter
from typing import Any, cast

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Event, Notice, Stage, Step
from napari_selfsup_recon.core.measurement import FloatImage, Measurement
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.base import Method
from napari_selfsup_recon.methods.trust import companion_steps
from napari_selfsup_recon.runs.problem import Problem
from napari_selfsup_recon.runs.result import COMPANIONS, PHASE
from napari_selfsup_recon.transforms.identifiability import Identifiability, identifiability_steps

# Nobody waits longer to be told what can be learned.
_SECONDS = 20.0
_DRAWS = 8


def what_can_be_learned(method: Method) -> Generator[Event, None, dict[str, float]]:
    """Say which share of the image the instrument and the method's transform show.

    Returns
    -------
    dict
        The share, for the record; empty where the method has no transform or it took too long.
    """
    transform = getattr(method, "transform", None)
    if transform is None:
        return {}
    yield Stage("Looking at what can be learned")
    began = perf_counter()
    steps = identifiability_steps(method.physics, transform, torch_generator(0, "meter"))
    try:
        while True:
            try:
                done, total = next(steps)
            except StopIteration as end:
                found = cast(Identifiability, end.value)
                break
            yield Step(done, total, finished=False)
            if perf_counter() - began > _SECONDS:
                return {}
    except InputError:  # an instrument that is not linear: nothing is known of it
        return {}
    finally:
        steps.close()
    yield Notice(found.sentence, "info" if found.helps else "warning")
    return {"share that can be learned": found.share, "share that is measured": found.alone}


def companions_of(
    method: Method, problem: Problem, image: Measurement
) -> Generator[Event, None, dict[str, Measurement]]:
    """Return the companions of ``image``, what ``method`` made of ``problem``."""
    found: dict[str, Measurement] = {}
    if method.physics.items is None:
        found = yield from _usual(method, problem, image)
    else:
        yield Notice(
            "Residual, measured and inferred part and spread are not known for masks that differ "
            "from slice to slice."
        )
    # How far two answers of one method are apart, where it gives two.
    apart = getattr(method, "disagreement", None)
    if apart is not None:
        data = shown(apart(np.array(problem.y)), problem.channels).reshape(image.shape)
        found["disagreement"] = image.with_data(data, name=f"{image.name} disagreement")
    return found


def _usual(
    method: Method, problem: Problem, image: Measurement
) -> Generator[Event, None, dict[str, Measurement]]:
    """Return the companions that every learned method has."""
    yield Stage("Looking at what to trust")
    steps = companion_steps(method, np.array(problem.y), draws=_DRAWS)
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            made = end.value
            break
        yield Step(done, total)
    found: dict[str, Measurement] = {}
    for name in COMPANIONS:
        values = shown(getattr(made, name), problem.channels)
        if name == "residual":
            found[name] = _residual(values, image)
        else:
            data = values.reshape(image.shape)
            found[name] = image.with_data(data, name=f"{image.name} {name}")
    return found


def _residual(values: FloatImage, image: Measurement) -> Measurement:
    """Return the residual as a measurement, in the units of the image, lest scale bars vanish."""
    data = values[0] if len(image.shape) == 2 else values
    return Measurement(
        data,
        axes=image.axes,
        scale=(*image.scale[:-2], image.scale[-1], image.scale[-1]),
        units=image.units,
        name=f"{image.name} residual",
    )


def shown(image: FloatImage, channels: int | None) -> FloatImage:
    """Return what is looked at: of complex images (two channels) their size."""
    if channels is None:
        return image
    magnitude: FloatImage = np.hypot(image[..., 0, :, :], image[..., 1, :, :])
    return magnitude


def phase_of(image: Measurement, values: FloatImage, channels: int | None) -> Mapping[str, Any]:
    """Return the phase of complex images."""
    if channels is None:
        return {}
    phase = np.arctan2(values[:, 1], values[:, 0]).reshape(image.shape)
    return {PHASE: image.with_data(phase, name=f"{image.name} phase")}
