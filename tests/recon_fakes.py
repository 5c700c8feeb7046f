"""Methods that reconstruct at once, for tests of all above them.

``install(monkeypatch)`` registers ``"fake-recon"`` (learned) and ``"fake-dagger"`` for one test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import UnstableTrainingError
from napari_selfsup_recon.core.events import Done, Event, Preview, Step
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods.base import ClassicalMethod, LearnedMethod
from napari_selfsup_recon.methods.registry import METHODS


class DaggerOptions(Options):
    """What the fake does."""

    iterations: int = option(2, ge=1, title="Iterations", description="Iterations.")
    device: str = option("cpu", title="Device", description="Device.")


class LearnedOptions(Options):
    """What the fake does."""

    steps: int = option(4, ge=1, title="Steps", description="Steps to train.")
    device: str = option("cpu", title="Device", description="Device.")
    fail_at: int = option(0, ge=0, title="Fail at", description="Step at which it goes wrong.")


class FakeDagger(ClassicalMethod):
    """Returns ``A_dagger(y)``."""

    key = "fake-dagger"
    options_type = DaggerOptions

    def run(self, y: Any) -> Iterator[Event]:
        image = self.reconstruct(y)
        for index in (1, 2):
            yield Step(index, 2)
            yield Preview(0.3 * index * image, index)  # early iterates are dark
        yield Done(image, 2)

    def _estimate(self, y: Tensor) -> Tensor:
        return self.physics.A_dagger(y)


class FakeRecon(LearnedMethod):
    """Returns ``A_dagger(y)`` when it has seen all slices."""

    key = "fake-recon"
    options_type = LearnedOptions

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.seen: tuple[int, ...] = ()

    @property
    def trained(self) -> bool:
        return bool(self.seen)

    def train(self, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        options = self.options
        assert isinstance(options, LearnedOptions)
        for index in range(1, options.steps + 1):
            if index == options.fail_at:
                raise UnstableTrainingError("Training failed.", hint="Try again.")
            self.seen = tuple(np.shape(y))
            yield Step(index, options.steps, 1 / index, 1 / index)
        yield Done(step=options.steps)

    def run(self, y: Any) -> Iterator[Event]:
        yield Step(1, 1)
        yield Done(self.reconstruct(y), 1)

    def _estimate(self, y: Tensor) -> Tensor:
        with torch.no_grad():
            return self.physics.A_dagger(y)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        return {"seen": list(self.seen)}, {}

    @classmethod
    def from_state(cls, physics: Any, options: Any, facts: Any, arrays: Any) -> Self:
        made = cls(physics, options)
        made.seen = tuple(facts["seen"])
        return made


ENTRIES = (
    Entry(
        key="fake-recon",
        label="Fake (learned)",
        summary="Learns nothing.",
        needs="Nothing.",
        tasks=("reconstruct",),
        learned=True,
        method=f"{__name__}:FakeRecon",
        options=f"{__name__}:LearnedOptions",
    ),
    Entry(
        key="fake-dagger",
        label="Fake (classical)",
        summary="Does little.",
        needs="Nothing.",
        tasks=("reconstruct",),
        learned=False,
        method=f"{__name__}:FakeDagger",
        options=f"{__name__}:DaggerOptions",
    ),
)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the fakes for one test."""
    for entry in ENTRIES:
        monkeypatch.setitem(METHODS._entries, entry.key, entry)


def sinogram(
    *, views: int = 60, columns: int = 48, axis: float = 22.6, slices: int = 0
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Line integrals of two discs around ``axis``, and degrees over half a turn."""
    degrees = 180 * np.arange(views) / views
    theta = np.deg2rad(degrees)[:, None]
    made = np.zeros((views, columns))
    for x, y, radius, value in ((0, 0, 14, 0.02), (6, 3, 4, 0.05)):
        centre = axis + x * np.cos(theta) - y * np.sin(theta)
        made += 2 * value * np.sqrt(np.maximum(radius**2 - (np.arange(columns) - centre) ** 2, 0))
    if slices:
        made = np.stack([made * (1 + 0.1 * n) for n in range(slices)])
    return made, degrees
