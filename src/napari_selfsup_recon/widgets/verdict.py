"""Before a run: what a method that learns from measurements alone can learn of this instrument."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Notice, Stage
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.widgets.request import Request, few_slices

_UNKNOWN = "What can be learned could not be told in time: the image is large."


def verdict(request: Request) -> Generator[str, None, str]:
    """Return what the identifiability meter says of a reconstruction, as a sentence.

    Yields
    ------
    str
        What is being done; it takes 20 seconds at most.

    Raises
    ------
    InputError
        If the measurement cannot be used, or the method learns nothing.
    """
    from napari_selfsup_recon.runs._trust import what_can_be_learned
    from napari_selfsup_recon.runs.plan import resolve

    config = few_slices(request)
    yield "Reading the scan"
    plan = resolve(config, request.source.measurement, given=request.given)
    if plan.problem is None or config.method is None or plan.method_options is None:
        raise InputError("Nothing is learned here.", hint="Choose a method that learns.")
    yield "Preparing the instrument"
    kind: Any = METHODS.find(config.method).load_method()
    method = kind(plan.problem.build(), plan.method_options)
    events = what_can_be_learned(method)
    said = _UNKNOWN
    yield "Looking at what can be learned"
    while True:
        try:
            event = next(events)
        except StopIteration:
            return said
        if isinstance(event, Notice):
            said = event.message if event.level == "info" else f"⚠ {event.message}"
        elif not isinstance(event, Stage):
            yield "Looking at what can be learned"
