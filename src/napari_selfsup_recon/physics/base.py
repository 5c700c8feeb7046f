"""The vocabulary of physics: ``A``, ``A_adjoint``, ``A_dagger``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.physics.recipe import Recipe


class _Linear(torch.autograd.Function):
    """A linear map whose derivative is its transpose, to any order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, physics: Physics, transposed: bool) -> Tensor:
        ctx.physics, ctx.transposed = physics, transposed
        return physics._adjoint(x) if transposed else physics._forward(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        return _apply(gradient, ctx.physics, not ctx.transposed), None, None


def _apply(x: Tensor, physics: Physics, transposed: bool) -> Tensor:
    return cast(Tensor, _Linear.apply(x, physics, transposed))  # type: ignore[no-untyped-call]


class Physics(ABC):
    """A forward model, linear unless it says otherwise.

    Images are tensors ``(batch, channel, *image_shape)``, measurements
    ``(batch, channel, *measurement_shape)``. An operator is a value: a call changes nothing, and it
    follows the dtype and device of what it is given.

    Attributes
    ----------
    image_shape, measurement_shape
        Shapes without batch and channel.
    linear
        Whether :meth:`A` is a linear map, with :meth:`A_adjoint` its transpose.
    channels
        Channels of one image that are mapped together (2 where it is complex); None: there may be
        any number, and each is mapped for itself.
    items
        Number of images where each has an operator of its own, such as a mask; None: all share one.
        A batch then holds a multiple of it, and the operators are used in turn.
    """

    image_shape: tuple[int, ...]
    measurement_shape: tuple[int, ...]
    linear: ClassVar[bool] = True
    channels: int | None = None
    items: int | None = None

    def __init__(self, image_shape: Sequence[int], measurement_shape: Sequence[int]) -> None:
        self.image_shape = tuple(int(n) for n in image_shape)
        self.measurement_shape = tuple(int(n) for n in measurement_shape)

    def A(self, x: Tensor) -> Tensor:
        """Return the noiseless measurement of the image ``x``; differentiable to any order."""
        self._check(x, self.image_shape, "an image")
        return _apply(x, self, False)

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Return the exact transpose of :meth:`A` applied to ``y``."""
        self._check(y, self.measurement_shape, "a measurement")
        return _apply(y, self, True)

    __call__ = A

    @abstractmethod
    def A_dagger(self, y: Tensor) -> Tensor:
        """Return one fixed linear (regularised) inverse of :meth:`A` applied to ``y``."""

    def restrict(self, region: Region) -> Physics:
        """Return the same instrument on a crop of the measurement.

        Parameters
        ----------
        region
            Slices of the measurement's spatial axes, step 1.

        Raises
        ------
        InputError
            If the instrument cannot be restricted this way.
        """
        raise InputError(
            f"{type(self).__name__} cannot work on a part of its measurement.",
            hint="Use the whole measurement.",
        )

    def at(self, items: Sequence[int]) -> Physics:
        """Return the operator of some images of the batch, where each has its own."""
        return self

    def observed(self, like: Tensor) -> Tensor | None:
        """Return which entries of a measurement are recorded: 1 or 0, the others say nothing.

        It has dtype and device of ``like`` and fits ``(batch, channel, *measurement_shape)``; None
        where all are recorded.
        """
        return None

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Pixels of the image before and behind the measurement, an axis."""
        return ((0, 0),) * len(self.image_shape)

    def field_of_view(self, x: Tensor) -> Tensor:
        """Return the part of the image ``x`` that lies under the measurement, on its grid."""
        return x

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator, as JSON and arrays.

        Raises
        ------
        InputError
            If the operator was wrapped from foreign code and cannot be saved.
        """
        raise InputError(
            f"{type(self).__name__} cannot be saved with a model.",
            hint="Rebuild it by hand and pass it to load(path, physics=...).",
        )

    def _seen(self, x: Tensor, regularisation: float) -> Tensor | None:
        """Return :func:`~napari_selfsup_recon.physics.seen.seen_part` in closed form, if known."""
        return None

    @abstractmethod
    def _forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _adjoint(self, y: Tensor) -> Tensor: ...

    def _check(self, value: Tensor, shape: tuple[int, ...], what: str) -> None:
        if value.ndim != len(shape) + 2 or tuple(value.shape[2:]) != shape:
            raise InputError(
                f"{type(self).__name__} expects {what} of shape (batch, channel, "
                f"{', '.join(map(str, shape))}) but got {tuple(value.shape)}.",
                hint="Reshape it, or build the operator for this shape.",
            )
        if self.channels is not None and value.shape[1] != self.channels:
            raise InputError(
                f"{type(self).__name__} expects {what} of {self.channels} channels (real and "
                f"imaginary part) but got {value.shape[1]}.",
                hint="Make channels of complex values with as_channels.",
            )
        if self.items is not None and len(value) % self.items:
            raise InputError(
                f"{type(self).__name__} has a mask for each of {self.items} images but got "
                f"{len(value)}.",
                hint="Give all of them, or take the operator of some with at([0, 1]).",
            )
        if not value.is_floating_point():
            raise InputError(
                f"{type(self).__name__} expects floating-point values but got {value.dtype}.",
                hint="Convert with tensor.float().",
            )


@runtime_checkable
class SupportsPhysics(Protocol):
    """Anything with the three methods, for example a ``deepinv.physics.LinearPhysics``."""

    def A(self, x: Tensor) -> Tensor: ...
    def A_adjoint(self, y: Tensor) -> Tensor: ...
    def A_dagger(self, y: Tensor) -> Tensor: ...


class _Wrapped(Physics):
    def __init__(
        self, inner: SupportsPhysics, image_shape: Sequence[int], measurement_shape: Sequence[int]
    ) -> None:
        super().__init__(image_shape, measurement_shape)
        self._inner = inner

    def A_dagger(self, y: Tensor) -> Tensor:
        self._check(y, self.measurement_shape, "a measurement")
        return self._inner.A_dagger(y)

    def _forward(self, x: Tensor) -> Tensor:
        return self._inner.A(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._inner.A_adjoint(y)


def as_physics(
    obj: SupportsPhysics, image_shape: Sequence[int], measurement_shape: Sequence[int]
) -> Physics:
    """Wrap any object with ``A``, ``A_adjoint`` and ``A_dagger``.

    Parameters
    ----------
    obj
        The foreign operator; its ``A_adjoint`` must be the transpose of its ``A``.
    image_shape, measurement_shape
        Shapes without batch and channel.

    Raises
    ------
    InputError
        If one of the three methods is missing, or ``obj`` is a :class:`Physics` of other shapes.
    """
    if isinstance(obj, Physics):
        shapes = (obj.image_shape, obj.measurement_shape)
        if shapes != (tuple(image_shape), tuple(measurement_shape)):
            raise InputError(
                f"{type(obj).__name__} maps {shapes[0]} to {shapes[1]}, "
                f"not {tuple(image_shape)} to {tuple(measurement_shape)}.",
                hint="Give its own shapes.",
            )
        return obj
    missing = [n for n in ("A", "A_adjoint", "A_dagger") if not callable(getattr(obj, n, None))]
    if missing:
        raise InputError(
            f"{type(obj).__name__} has no method {', '.join(missing)}.",
            hint="Give an object with A, A_adjoint and A_dagger.",
        )
    return _Wrapped(obj, image_shape, measurement_shape)
