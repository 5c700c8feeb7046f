"""The results of a viewer, in the order in which they came, and what of them can be used again."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from psygnal import Signal

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io.curves import Mark
from napari_selfsup_recon.runs.kept import Kept
from napari_selfsup_recon.runs.names import label_of
from napari_selfsup_recon.runs.result import Result
from napari_selfsup_recon.widgets._humanize import duration
from napari_selfsup_recon.widgets.again import Again

#: Older results are no longer listed.
MOST_RUNS = 100
#: Older networks are let go.
MOST_MODELS = 20
#: What training goes on from weighs five times as much as a network.
MOST_STATES = 3
SIDE = 48


@dataclass(eq=False)
class Run:
    """One result of the viewer, or a model from a file.

    Attributes
    ----------
    name
        Of the layer, or of the file.
    story
        Provenance.
    models
        Trained networks, one a frame; none for classical methods, and of old runs.
    thumbnail
        uint8 ``(y, x)``, None of a file.
    again
        How the run can be repeated, None where that is not known.
    layer
        Weak reference to the layer, None of a file.
    curves
        Loss and held-out score of each step; none for classical methods, and of old runs.
    """

    name: str
    story: Mapping[str, Any]
    models: tuple[Kept, ...] = ()
    thumbnail: np.ndarray[Any, np.dtype[np.uint8]] | None = None
    again: Again | None = None
    layer: weakref.ReferenceType[Layer] | None = None
    let_go: bool = False
    curves: tuple[Mark, ...] = ()

    @property
    def key(self) -> str:
        """Of the method."""
        return self.models[0].key if self.models else str(self.story.get("method", ""))

    @property
    def steps(self) -> int:
        """Of the training."""
        return int(self.story.get("steps", 0))

    @property
    def score(self) -> float | None:
        """Held-out score that was not looked at while choosing; else the one that chose."""
        scores = self.story.get("scores", {})
        for name in ("reported", "chosen"):
            for key, value in scores.items():
                if key.split(" [")[0] == name and isfinite(value):
                    return float(value)
        return None

    @property
    def title(self) -> str:
        """The name of its layer now."""
        layer = self.layer() if self.layer is not None else None
        return self.name if layer is None else str(layer.name)

    @property
    def words(self) -> str:
        """Method, score, steps and time in one line."""
        method = label_of(self.key) + (" applied" if self.story.get("reason") == "applied" else "")
        parts = [method, f"{self.steps} steps" if self.steps else ""]
        parts.append(f"held-out {self.score:.3g}" if self.score is not None else "")
        seconds = self.story.get("seconds")
        parts.append(duration(seconds) if isinstance(seconds, int | float) and seconds else "")
        return ", ".join(part for part in parts if part)


class RunLog:
    """What a viewer has made; bounded, whatever comes.

    Attributes
    ----------
    changed
        Emitted when a run came, went, or lost its network.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._runs: deque[Run] = deque(maxlen=MOST_RUNS)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The latest first."""
        return tuple(self._runs)[::-1]

    def add(self, run: Run) -> Run:
        """Add a run; older ones let go of what is large."""
        self._runs.append(run)
        trained = [other for other in self.runs if other.models]
        for old in trained[MOST_MODELS:]:
            old.models, old.let_go, old.curves = (), True, ()
        for old in trained[MOST_STATES:MOST_MODELS]:
            old.models = tuple(without_state(model) for model in old.models)
        self.changed.emit()
        return run

    def add_result(
        self, result: Result, layer: Image, again: Again | None, curves: Iterable[Mark] = ()
    ) -> Run:
        """Add a result that became ``layer``; the curves belong to what was learned."""
        return self.add(
            Run(
                name=layer.name,
                story=result.provenance.as_dict(),
                models=tuple(model for model in result.models if isinstance(model, Kept)),
                thumbnail=thumbnail(result.measurement, layer.contrast_limits),
                again=again,
                layer=weakref.ref(layer),
                curves=tuple(curves) if result.models else (),
            )
        )

    def forget(self, run: Run) -> None:
        """Take a run off the list and let go of its network; its layer stays."""
        if run in self._runs:
            self._runs.remove(run)
            self.changed.emit()


def without_state(model: Kept) -> Kept:
    """Return the model without what training goes on from."""
    return model if model.state is None else replace(model, state=None)


def thumbnail(measurement: Measurement, limits: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the middle slice, small, in grey values of the contrast ``limits``."""
    middle = tuple(n // 2 for n in measurement.shape[:-2])
    every = max(1, -(-max(measurement.shape[-2:]) // SIDE))
    values = np.asarray(
        measurement.data[(*middle, slice(None, None, every), slice(None, None, every))]
    )
    low, high = (float(limit) for limit in limits)
    scaled = np.nan_to_num((values.astype(np.float64) - low) / max(high - low, 1e-30))
    return (255 * scaled.clip(0, 1)).astype(np.uint8)
