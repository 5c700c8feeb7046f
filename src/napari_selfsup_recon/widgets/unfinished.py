"""What is kept of a run while it learns, so that it can go on when its window was closed."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.io.saved_runs import json_safe
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.stash import Stash
from napari_selfsup_recon.widgets import preferences
from napari_selfsup_recon.widgets.again import Again
from napari_selfsup_recon.widgets.bridge import Source

#: What is kept of a measurement beside its values.
PLACE = ("axes", "scale", "units", "translate")


def stash_of(source: Source, again: Again) -> Stash | None:
    """Return what keeps the run of ``again``; None where nothing is learned, or to be kept."""
    key = again.config.method
    if not preferences.keeps_unfinished() or key is None or not METHODS.find(key).learned:
        return None
    return Stash(partial(describe_run, source, again))


def describe_run(source: Source, again: Again) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts of a run, and what it was given; called in the thread of the run."""
    metadata = json_safe(again.metadata)
    if len(metadata) < len(again.metadata):
        raise InputError("What the image tells of itself cannot be kept.")
    facts = {
        "name": source.measurement.name,
        "config": again.config.model_dump(mode="json"),
        "axes": list(again.axes),
        "fixed": list(again.fixed),
        "metadata": metadata,
        "shape": list(source.measurement.shape),
        "dtype": str(source.measurement.dtype),
        "fingerprint": fingerprint(source.measurement.data),
    }
    given = {name: _packed(value) for name, value in again.extras().items()}
    return facts, {"psf": _packed(again.psf()), "given": given}


def _packed(value: Any) -> Any:
    """Return a measurement as a dictionary, and anything else as it is."""
    if not isinstance(value, Measurement):
        return value if value is None or np.ndim(value) else np.asarray(value)[()]
    facts = {name: list(getattr(value, name)) for name in PLACE}
    return {"data": np.asarray(value.data), "name": value.name, **facts}
