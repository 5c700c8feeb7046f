"""What a method gives the loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Any

from torch import Tensor, nn

Work = Generator[None, None, float]
"""Work in pieces of at most about 0.2 s, with a yield between them, that returns a number."""


class Trainee(ABC):
    """State, a step and a score.

    The unit of extension is the step: a method may hold several networks and optimisers, as long as
    all its weights hang on :attr:`model`. Every random draw of a step derives from the seed, the
    attempt and the step number, so that the values of :meth:`state` are all it takes to resume.
    """

    model: nn.Module

    @abstractmethod
    def begin(self, attempt: int) -> None:
        """Make fresh networks and optimisers.

        ``attempt`` counts restarts from 0; later attempts should draw other weights and go slower.
        """

    @abstractmethod
    def step(self, index: int) -> Work:
        """Do step number ``index`` (from 0) and return its training loss."""

    @abstractmethod
    def score(self, model: nn.Module) -> Work:
        """Return the held-out score of ``model``; lower is better.

        It must mean the same at every step: fixed pixels, fixed seeds, no fresh noise.
        """

    @abstractmethod
    def trivial_score(self) -> float:
        """Return the score of the best answer that ignores the image (a constant)."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return optimiser state and counters, besides the weights of :attr:`model`."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""


def copied(value: Any) -> Any:
    """Return a deep copy of nested dicts, lists and tensors, on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copied(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(entry) for entry in value)
    return value
