"""Trained methods between two runs: what is needed to use them again, on the CPU, without data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Event
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.recipe import Recipe, from_recipe
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.runs.result import Result

if TYPE_CHECKING:
    from napari_selfsup_recon.methods.base import LearnedMethod
    from napari_selfsup_recon.physics.base import Physics
    from napari_selfsup_recon.physics.noise import Noise


@dataclass(frozen=True, eq=False)
class Kept:
    """A trained method, taken apart.

    Attributes
    ----------
    key
        Of the method.
    options
        What it was given.
    physics
        What rebuilds the operator; the operator itself where it has no recipe.
    noise
        What it was told of the noise.
    facts, arrays
        See :meth:`~napari_selfsup_recon.methods.base.LearnedMethod.state`.
    state
        What training can go on from, None where it cannot.
    """

    key: str
    options: Options
    physics: Recipe | Physics
    noise: Noise | None
    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray[Any, Any]]
    state: Mapping[str, Any] | None = None

    def method(self, physics: Physics | None = None) -> LearnedMethod:
        """Put it together again; loads torch.

        Parameters
        ----------
        physics
            The instrument, if it is another one: of a larger image.
        """
        if physics is None:
            known = self.physics
            physics = from_recipe(known) if isinstance(known, Recipe) else known
        kind = METHODS.find(self.key).load_method()
        made = kind.from_state(physics, self.options, dict(self.facts), dict(self.arrays))
        made.noise = self.noise
        return cast("LearnedMethod", made)

    @property
    def psf(self) -> np.ndarray[Any, Any] | None:
        """The PSF it was trained with, None without blur."""
        recipe = self.physics
        if isinstance(recipe, Recipe) and recipe.kind == "blur":
            return np.asarray(recipe.arrays["psf"])
        return None


def keep(method: LearnedMethod, state: Mapping[str, Any] | None = None) -> Kept:
    """Take a trained method apart; nothing of the device or of the data stays."""
    try:
        physics: Recipe | Physics = method.physics.recipe()
    except InputError:  # of somebody else's making
        physics = method.physics
    facts, arrays = method.state()
    return Kept(method.key, method.options, physics, method.noise, facts, arrays, state)


@dataclass(frozen=True, eq=False)
class Reuse:
    """What a run begins with.

    Attributes
    ----------
    models
        One a frame, or one for all.
    train
        Whether training goes on; else the measurement is only reconstructed.
    story
        What the provenance says of it, JSON-safe.
    steps
        Of the training that is over.
    """

    models: tuple[Kept, ...]
    train: bool = False
    story: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0

    def of(self, frame: int) -> Kept:
        """Return the model for the frame with this number."""
        return self.models[frame % len(self.models)]


def run_and_keep(
    run: Callable[[RunPlan, Control], Iterator[Event]], plan: RunPlan, control: Control
) -> Iterator[Event]:
    """Run; the models of the results are taken apart (:class:`Kept`), in the thread of the run."""
    with closing(cast(Any, run(plan, control))) as events:
        for event in events:
            if isinstance(event, Result) and event.models:
                states = event.states or (None,) * len(event.models)
                kept = tuple(map(keep, event.models, states))
                yield replace(event, models=kept, states=())
            else:
                yield event
