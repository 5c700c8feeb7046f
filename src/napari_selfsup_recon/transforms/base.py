"""The vocabulary of transforms: a ``Transform`` draws, an ``Action`` is what was drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_RINGING = 0.01


class Action(ABC):
    """One linear map of images onto images of the same shape, for example a turn by 12 degrees.

    It works on tensors ``(batch, channel, *spatial)``, every image and channel alike, follows their
    dtype and device, and is differentiable. An action is a value: a call changes nothing.
    ``a @ b`` is the action of ``b`` followed by that of ``a``.
    """

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Return the transformed images."""

    @abstractmethod
    def adjoint(self, x: Tensor) -> Tensor:
        """Return the exact transpose of the action applied to ``x``."""

    @abstractmethod
    def inverse(self) -> Action:
        """Return the action that undoes this one.

        Up to what was moved out of the image, and to interpolation where values lie between pixels.
        """

    @abstractmethod
    def valid(self, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        """Return where the result shows the image, and nothing that came from outside of it.

        Parameters
        ----------
        shape
            Spatial shape of the images.
        like
            Tensor whose dtype and device are taken; single precision on the CPU without it.

        Returns
        -------
        Tensor
            1 where the result can be relied on and 0 elsewhere; of shape ``shape``.
        """

    def __matmul__(self, other: Action) -> Action:
        if isinstance(other, _Chain):
            joined = self @ other.last
            if not isinstance(joined, _Chain):  # two interpolations became one
                return joined @ other.first
        return _Chain(self, other)


class Identity(Action):
    """Leaves everything as it is."""

    def __call__(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, x: Tensor) -> Tensor:
        return x

    def inverse(self) -> Identity:
        return self

    def valid(self, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        return ones(shape, like)

    def __matmul__(self, other: Action) -> Action:
        return other


@dataclass(frozen=True)
class _Chain(Action):
    last: Action
    first: Action

    def __call__(self, x: Tensor) -> Tensor:
        return self.last(self.first(x))

    def adjoint(self, x: Tensor) -> Tensor:
        return self.first.adjoint(self.last.adjoint(x))

    def inverse(self) -> Action:
        return self.first.inverse() @ self.last.inverse()

    def valid(self, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        before = self.first.valid(shape, like=like)
        moved = self.last(before[None, None])[0, 0]
        # Splines ring near an edge; what rings is not relied on.
        whole = (moved - 1).abs() < _RINGING
        return self.last.valid(shape, like=like) * whole.to(before.dtype)


class Transform(ABC):
    """A set of actions under which the images of interest stay images of interest.

    ``a @ b`` draws one action of each and chains them, ``b`` first.
    """

    @abstractmethod
    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Action:
        """Return a random action.

        Parameters
        ----------
        shape
            Spatial shape of the images, 2D or 3D.
        generator
            Random generator on the CPU; the only source of chance.

        Raises
        ------
        InputError
            If the transform cannot serve images of this shape.
        """

    def elements(self, shape: Sequence[int]) -> list[Action] | None:
        """Return every action, the identity included, or None where there are too many."""
        return None

    def __matmul__(self, other: Transform) -> Transform:
        return _ChainedTransform(self, other)


@dataclass(frozen=True)
class _ChainedTransform(Transform):
    last: Transform
    first: Transform

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Action:
        first = self.first.draw(shape, generator)
        return self.last.draw(shape, generator) @ first

    def elements(self, shape: Sequence[int]) -> list[Action] | None:
        last, first = self.last.elements(shape), self.first.elements(shape)
        if last is None or first is None:
            return None
        return [a @ b for a in last for b in first]


def ones(shape: Sequence[int], like: Tensor | None) -> Tensor:
    """Return ones of ``shape`` with the dtype and device of ``like``."""
    if like is None:
        return torch.ones(tuple(shape))
    return torch.ones(tuple(shape), dtype=like.dtype, device=like.device)


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """Return a number drawn from [low, high)."""
    drawn = torch.rand((), generator=generator, dtype=torch.float64)
    return low + (high - low) * float(drawn)
