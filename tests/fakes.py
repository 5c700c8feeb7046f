"""Methods that do as they are told: slow, failing, or giving nonsense, for tests of all above them.

``install(monkeypatch)`` registers ``"fake"`` (learned) and ``"fake-classic"`` for one test.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import UnstableTrainingError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Step
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods.base import ClassicalMethod, LearnedMethod
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.base import Physics

Failure = Literal["none", "oom", "runtime", "value", "unstable"]
ResultKind = Literal["good", "nan", "constant", "dark"]


class FakeOptions(Options):
    """What the fake does."""

    steps: int = option(5, ge=1, le=10_000, title="Steps", description="Steps to train.")
    seed: int = option(0, ge=0, title="Seed", description="Seed.")
    device: str = option("cpu", title="Device", description="Device.")
    delay: float = option(0.0, ge=0, title="Delay", unit="seconds", description="Of each step.")
    failure: Failure = option("none", title="Failure", description="What goes wrong.")
    fail_at: int = option(3, ge=0, title="Fail at", description="Step at which it goes wrong.")
    result: ResultKind = option("good", title="Result", description="What comes out.")


class FakeLearned(LearnedMethod):
    """Returns half of the measurement plus half of it per share of the steps done."""

    key = "fake"
    options_type = FakeOptions
    alive: ClassVar[weakref.WeakSet[FakeLearned]] = weakref.WeakSet()
    closed: ClassVar[int] = 0
    """How many training generators have ended, by whatever cause."""

    def __init__(self, physics: Physics, options: Options | None = None, **more: Any) -> None:
        super().__init__(physics, options, **more)
        self.steps_done = 0
        self.alive.add(self)

    @property
    def trained(self) -> bool:
        return self.steps_done > 0

    def train(self, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        options = self._fake
        done = 0 if state is None else state["step"]
        try:
            yield Notice("The fake begins.")
            for index in range(done + 1, options.steps + 1):
                time.sleep(options.delay)
                if options.failure != "none" and index == options.fail_at:
                    fail(options.failure)
                self.steps_done = index
                yield Step(index, options.steps, finished=False)
                score = 1 / index if index % 2 else None
                yield Step(index, options.steps, 2 / index, score, 0.1 * (options.steps - index))
            yield Done(step=options.steps, reason="finished")
        finally:
            type(self).closed += 1

    @property
    def snapshot(self) -> Callable[[], Mapping[str, Any]]:
        return lambda: {"step": self.steps_done, "best_step": self.steps_done, "best_score": 0.1}

    def run(self, y: Any) -> Iterator[Event]:
        yield Step(1, 1)
        yield Done(self.reconstruct(y), self.steps_done)

    @property
    def _fake(self) -> FakeOptions:
        assert isinstance(self.options, FakeOptions)
        return self.options

    def _estimate(self, y: Tensor) -> Tensor:
        return spoil(y * (0.5 + 0.5 * self.steps_done / self._fake.steps), self._fake.result)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        return {"steps_done": self.steps_done}, {"weights": np.arange(3, dtype=np.float32)}

    @classmethod
    def from_state(
        cls,
        physics: Physics,
        options: Options,
        facts: dict[str, Any],
        arrays: dict[str, np.ndarray[Any, Any]],
    ) -> Self:
        method = cls(physics, options)
        method.steps_done = int(facts["steps_done"])
        return method


class FakeClassicOptions(Options):
    """What the classical fake does."""

    iterations: int = option(4, ge=1, title="Iterations", description="Iterations.")
    device: str = option("cpu", title="Device", description="Device.")
    delay: float = option(0.0, ge=0, title="Delay", unit="seconds", description="Of each.")
    failure: Failure = option("none", title="Failure", description="What goes wrong.")
    fail_at: int = option(3, ge=0, title="Fail at", description="When it goes wrong.")
    result: ResultKind = option("good", title="Result", description="What comes out.")


class FakeClassic(ClassicalMethod):
    """Returns the measurement."""

    key = "fake-classic"
    options_type = FakeClassicOptions

    def run(self, y: Any) -> Iterator[Event]:
        options = self.options
        assert isinstance(options, FakeClassicOptions)
        image = np.array(y, dtype=np.float32)
        for index in range(1, options.iterations + 1):
            time.sleep(options.delay)
            if options.failure != "none" and index == options.fail_at:
                fail(options.failure)
            yield Step(index, options.iterations)
            yield Preview(image * index / options.iterations, index)
        yield Done(self.reconstruct(image), options.iterations)

    def _estimate(self, y: Tensor) -> Tensor:
        assert isinstance(self.options, FakeClassicOptions)
        return spoil(y.clone(), self.options.result)


def fail(kind: str) -> None:
    """Raise what such a failure raises in earnest."""
    if kind == "oom":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    if kind == "runtime":
        raise RuntimeError("the sizes of the tensors do not match")
    if kind == "value":
        raise ValueError("a bug")
    raise UnstableTrainingError("Training failed 4 times.", hint="Lower the learning rate.")


def spoil(image: Tensor, result: str) -> Tensor:
    """Return ``image`` as the kind of result says."""
    if result == "nan":
        image = image.clone()
        image[..., 0, 0] = float("nan")
        return image
    return {"constant": torch.ones_like(image), "dark": image * 0.1}.get(result, image)


ENTRIES = (
    Entry(
        key="fake",
        label="Fake (learned)",
        summary="Learns nothing.",
        needs="Nothing.",
        tasks=("deconvolve", "denoise"),
        learned=True,
        method=f"{__name__}:FakeLearned",
        options=f"{__name__}:FakeOptions",
    ),
    Entry(
        key="fake-classic",
        label="Fake (classical)",
        summary="Does nothing.",
        needs="Nothing.",
        tasks=("deconvolve", "denoise"),
        learned=False,
        method=f"{__name__}:FakeClassic",
        options=f"{__name__}:FakeClassicOptions",
    ),
)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the fakes for one test."""
    for entry in ENTRIES:
        monkeypatch.setitem(METHODS._entries, entry.key, entry)
