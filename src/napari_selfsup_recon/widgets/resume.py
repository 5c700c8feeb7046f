"""Runs that were ended with their window: which images they belong to, and jobs that go on."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from napari.layers import Image, Layer

from napari_selfsup_recon.core.errors import FileError, InputError, ReconError
from napari_selfsup_recon.core.events import Event
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.recipe import Recipe
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.kept import Kept, Reuse
from napari_selfsup_recon.runs.names import label_of
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.runs.stash import Stash, Unfinished
from napari_selfsup_recon.runs.words import validate
from napari_selfsup_recon.widgets.again import Again
from napari_selfsup_recon.widgets.bridge import is_result
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.unfinished import PLACE, describe_run


@dataclass(frozen=True, eq=False)
class Offer:
    """A run that can go on, and the layer that it learned from."""

    unfinished: Unfinished
    layer: weakref.ReferenceType[Layer]

    @property
    def text(self) -> str:
        """What is offered, in words."""
        facts, layer = self.unfinished.facts, self.layer()
        name = layer.name if layer is not None else facts["name"]
        when = time.strftime("%d %b, %H:%M", time.localtime(facts["when"]))
        method = label_of(facts["config"]["method"])
        return (
            f"{method} of {name!r} was ended with its window at step {facts['step']} of "
            f"{facts['total']} ({when}). It can go on from there: the remaining "
            f"{facts['total'] - facts['step']} steps are trained, with the options it had."
        )


def offers(known: Sequence[Unfinished], layers: Sequence[Layer]) -> list[Offer]:
    """Return which runs can go on with one of ``layers``, by what is in them; names do not count.

    Shapes are compared first, then some blocks of the values: of images that are read from files
    as they are needed, call it in another thread.
    """
    found = []
    for unfinished in known:
        for layer in layers:
            if isinstance(layer, Image) and not is_result(layer) and _same(unfinished, layer):
                found.append(Offer(unfinished, weakref.ref(layer)))
                break
    return found


def job_to_resume(viewer: Any, offer: Offer) -> Job:
    """Return the job that goes on where the run was when its window was closed.

    Raises
    ------
    FileError
        If what was kept is gone or damaged.
    InputError
        If its layer is gone.
    """
    layer = offer.layer()
    if layer is None:
        raise InputError("Its image was removed.", hint="Open the image again.")
    unfinished = offer.unfinished
    state, given = unfinished.read()
    again = _again(unfinished, layer, given)
    source, config = again.source(), again.config
    entry = METHODS.find(str(config.method))
    options = validate(entry.load_options(), config.options, where=entry.label)
    step = int(unfinished.facts["step"])
    kept = Kept(entry.key, options, Recipe("identity", {}, {}), None, {}, {}, state)
    reuse = Reuse((kept,), train=True, story={"resumed_from": step})

    def run(plan: RunPlan, control: Control) -> Iterator[Event]:
        yield from execute(plan, control, keep_models=True, reuse=reuse)

    # Its baseline is done; what was told of the image is checked once more by the plan.
    return Job(
        viewer,
        source,
        partial(again.resolve, {}, source),
        run=run,
        again=again,
        stash=Stash(partial(describe_run, source, again), unfinished.path),
    )


def _again(unfinished: Unfinished, layer: Layer, given: Mapping[str, Any]) -> Again:
    facts = unfinished.facts
    try:
        config = validate(RunConfig, dict(facts["config"]), where="What was kept")
        values = {name: _unpacked(value) for name, value in given["given"].items()}
        psf = _unpacked(given["psf"])
        return Again(
            config=config,
            layer=weakref.ref(layer),
            axes=tuple(map(str, facts["axes"])),
            fixed=tuple(None if n is None else int(n) for n in facts["fixed"]),
            metadata=dict(facts["metadata"]),
            psf=lambda: psf,
            given={name: partial(_itself, value) for name, value in values.items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FileError("What was kept of the run is damaged.", hint="Start it anew.") from error


def _same(unfinished: Unfinished, layer: Image) -> bool:
    """Whether ``layer`` holds what a run learned from."""
    facts = unfinished.facts
    try:
        empty: dict[str, Any] = {"psf": None, "given": {}}
        source = _again(unfinished, layer, empty).source()
        measurement = source.measurement
        if (list(measurement.shape), str(measurement.dtype)) != (facts["shape"], facts["dtype"]):
            return False
        return bool(fingerprint(measurement.data) == facts["fingerprint"])
    except (ReconError, KeyError, TypeError, ValueError, IndexError):
        return False


def _itself(value: Any) -> Any:
    return value


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    facts: dict[str, Any] = {name: tuple(value[name]) for name in PLACE}
    return Measurement(value["data"], name=str(value["name"]), **facts)
