"""Companions of a learned result: what it may be trusted for."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.base import Method, as_tensor
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.seen import seen_part
from napari_selfsup_recon.transforms.base import Transform
from napari_selfsup_recon.transforms.shift import Shift

_INSIDE = 0.99


@dataclass(frozen=True, eq=False)
class Companions:
    """What belongs beside a reconstruction; all float32, in the units of what they are made of.

    Attributes
    ----------
    image
        The reconstruction, ``(*leading, *result_shape)``.
    residual
        ``y - A(image)``, zero where nothing was recorded. It should look like noise.
    seen, inferred
        Two parts that sum to the image: the one that the measurement determines, and the one that
        was learned or assumed.
    spread
        Root mean square difference of the image from reconstructions of moved copies of itself,
        moved back: large where the method is unsure. NaN where no copy stayed inside the image.
    """

    image: FloatImage
    residual: FloatImage
    seen: FloatImage
    inferred: FloatImage
    spread: FloatImage


def companions(
    method: Method,
    y: Any,
    *,
    transform: Transform | None = None,
    noise: Noise | None = None,
    draws: int = 16,
    seed: int = 0,
) -> Companions:
    r"""Return the companions of ``method.reconstruct(y)``.

    The spread is the equivariant bootstrap,

    .. math:: s^2 = \frac1n \sum_{i=1}^n
              \big(T_i^{-1} f(A T_i \hat x + \varepsilon_i) - \hat x\big)^2

    Parameters
    ----------
    method
        Trained, or classical.
    y
        The measurement(s), as for ``reconstruct``.
    transform
        How the object could also have been placed; that of the method where it has one, else
        shifts.
    noise
        Of the measurement; that of the method by default, none where this is None, too.
    draws
        Copies, n.
    seed
        Of transforms and noise.

    Raises
    ------
    InputError
        If the shape does not fit the physics or there are no draws.

    References
    ----------
    Tachella and Pereyra, Equivariant Bootstrapping for Uncertainty Quantification in Imaging
    Inverse Problems, AISTATS 2024.
    """
    steps = companion_steps(method, y, transform=transform, noise=noise, draws=draws, seed=seed)
    return exhaust(steps)


@torch.no_grad()
def companion_steps(
    method: Method,
    y: Any,
    *,
    transform: Transform | None = None,
    noise: Noise | None = None,
    draws: int = 16,
    seed: int = 0,
) -> Generator[tuple[int, int], None, Companions]:
    """Return what :func:`companions` returns; yields ``(done, total)`` as it goes."""
    if draws < 1:
        raise InputError("The spread needs at least one draw.", hint="Give draws=16.")
    physics = method.physics
    own = physics.channels is not None
    items = as_tensor(y, len(physics.measurement_shape), physics.channels)
    lead = tuple(y.shape[: y.ndim - len(physics.measurement_shape) - own])

    def reconstruct(measured: Tensor) -> Tensor:
        # Stacks stay stacks: their slices may be made together.
        one = measured if own else measured[:, 0]
        image: Tensor = method.reconstruct(one.reshape(*lead, *one.shape[1:]))
        image = image.reshape(len(measured), *image.shape[len(lead) :])
        return image if own else image[:, None]

    def plain(values: Tensor) -> FloatImage:
        inner = values if own else values[:, 0]
        array: FloatImage = inner.float().cpu().numpy()
        return array.reshape(*lead, *array.shape[1:])

    total = draws + 2
    image = reconstruct(items)
    yield 1, total
    whole = _extended(physics, image)
    residual = items - physics.A(whole)
    observed = physics.observed(items)
    if observed is not None:
        residual = residual * observed
    seen = physics.field_of_view(seen_part(physics, whole))
    yield 2, total
    moves = transform or getattr(method, "transform", None) or Shift()
    known = noise or method.noise
    squares, counts = torch.zeros_like(image), torch.zeros_like(image)
    shape = whole.shape[2:]
    for draw in range(draws):
        generator = torch_generator(seed, "spread", draw)
        action = moves.draw(shape, generator)
        back = action.inverse()
        measured = physics.A(action(whole))
        if known is not None:
            measured = known.sample(measured, generator)
            measured = measured if observed is None else measured * observed
        again = back(_extended(physics, reconstruct(measured)))
        inside = back(action.valid(shape, like=whole)[None, None]) > _INSIDE
        inside &= back.valid(shape, like=whole) > _INSIDE
        kept = physics.field_of_view(inside.to(whole.dtype))
        squares += kept * (physics.field_of_view(again) - image).square()
        counts += kept
        yield 3 + draw, total
    spread = (squares / counts).sqrt()
    return Companions(
        plain(image), plain(residual), plain(seen), plain(image - seen), plain(spread)
    )


def _extended(physics: Physics, image: Tensor) -> Tensor:
    """Continue an image beyond the measurement, where the physics reaches there, by its edge."""
    sides = [side for pair in reversed(physics.margins) for side in pair]
    if not any(sides):
        return image
    return torch.nn.functional.pad(image, sides, mode="replicate")
