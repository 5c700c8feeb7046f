"""The iteration of Lucy and Richardson on tensors."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from napari_selfsup_recon.methods.richardson_lucy._passes import BlurPasses, Passes, PlainPasses
from napari_selfsup_recon.methods.richardson_lucy._sensitivity import sensitivity
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur

# Voxels that the measurement sees with less than this part of the largest sensitivity stay dark:
# a correction divided by next to nothing would only amplify noise.
SMALLEST_SENSITIVITY = 0.01
# Expected light below this part of the mean of the measurement is rounding error.
_SMALLEST_LIGHT = 1e-6
_LARGEST_MOMENTUM = 0.98
_MOMENTUM_DELAY = 0.5
_LONGER = 0.25
_SMALLEST_RATIO = 1e-30


class Iteration:
    r"""Lucy-Richardson with boundary weights, background and momentum.

    .. math:: x \leftarrow w \, x \, A^T \frac{y}{A x + b}, \qquad w = 1 / A^T 1

    where :math:`A^T 1` is at least a hundredth of its largest value, and w = 0 elsewhere (Bertero
    and Boccacci 2005). With acceleration the step starts from an extrapolation and is longer:

    .. math:: x_{k+1} = p_k \left( w \, A^T \frac{y}{A p_k + b} \right)^{5/4}, \qquad
              p_k = x_k \left( \frac{x_k}{x_{k-1}} \right)^{\alpha_k}, \qquad
              \alpha_k = \frac{k - 1}{k + 1/2}

    (the exponent of Meinel 1986, the extrapolation of Biggs and Andrews 1997 but of logarithms,
    weights as of Nesterov). Where the fit got worse k starts again from 1, and the exponent comes
    half as close to 1. As everything is multiplied, nothing becomes negative, and a voxel does not
    go out for good because an extrapolation crossed zero.

    Parameters
    ----------
    physics
        Operator with non-negative entries.
    y
        Measurement, ``measurement_shape``, float32 or float64. Negative values count as 0. Not
        changed.
    background
        Light in ``y`` that does not come from the image, grey values, >= 0.
    accelerate
        Whether to use momentum.
    start
        Image to start from, ``image_shape``, >= 0; None: flat, the mean of ``y - background``.

    Attributes
    ----------
    count
        Iterations done.
    divergence
        Misfit per voxel of the image before the last step: the generalised Kullback-Leibler
        divergence :math:`\sum (y \log (y / c) - y + c)`, c = A x + b, over the number of voxels.
        It falls when the Poisson likelihood rises.
    """

    def __init__(
        self,
        physics: Physics,
        y: Tensor,
        *,
        background: float = 0.0,
        accelerate: bool = False,
        start: Tensor | None = None,
    ) -> None:
        self.count = 0
        self.divergence = float("inf")
        self._physics = physics
        self._background = background
        self._passes: Passes = (
            BlurPasses(physics, y) if isinstance(physics, Blur) else PlainPasses(physics)
        )
        light = y.clamp_min(0)
        self._y = light
        self._least = max(_SMALLEST_LIGHT * float(light.mean()), torch.finfo(y.dtype).tiny)
        self._y_sum = float(light.sum())
        self._weights = self._passes.store(_weights(physics, y))
        if start is None:
            start = y.new_full(physics.image_shape, _flat_start(light, background))
        self._x = self._passes.store(start.to(y)).mul_(self._weights > 0)
        # The point from which a step starts: without momentum the estimate itself.
        self._p = self._x.clone() if accelerate else self._x
        self._age = 0
        self._longer = _LONGER
        self._tiny = torch.finfo(y.dtype).tiny
        self._put_image()

    @property
    def estimate(self) -> Tensor:
        """The image so far, ``image_shape``; a view that later steps change."""
        return self._passes.crop(self._x, self._physics.image_shape)

    def step(self) -> Iterator[None]:
        """Do one iteration; yields several times on the way so that others can have a turn."""
        yield from self._passes.transform(transposed=False)
        yield from self._compare()
        yield from self._passes.transform(transposed=True)
        yield from self._correct()
        self.count += 1

    def _compare(self) -> Iterator[None]:
        """Put the relative difference of measured and expected light in."""
        voxels = self._y.numel()
        misfit = -self._y_sum
        for part in self._passes.measurement_parts:
            y, expected = self._y[part], self._passes.take(part, image=False)
            if self._background:
                expected.add_(self._background)
            expected.clamp_min_(self._least)
            misfit += float(expected.sum())
            ratio = torch.div(y, expected, out=expected)
            self._passes.put(part, ratio - 1, image=False)
            misfit += float(ratio.clamp_min_(_SMALLEST_RATIO).log_().mul_(y).sum())
            yield
        before, self.divergence = self.divergence, misfit / voxels
        self._age += 1
        if self.divergence > before:
            self._age, self._longer = 1, self._longer / 2

    def _correct(self) -> Iterator[None]:
        """Multiply by the correction, extrapolate, and put the image in for the next step."""
        # With A'(ratio - 1) + A'1 for A'(ratio), rounding errors shrink with the correction.
        momentum = min((self._age - 1) / (self._age + _MOMENTUM_DELAY), _LARGEST_MOMENTUM)
        for part in self._passes.image_parts:
            x, p = self._x[part], self._p[part]
            change = self._passes.take(part, image=True).mul_(self._weights[part])
            if self._p is self._x:
                x.addcmul_(x, change).clamp_min_(0)
            else:
                factor = change.clamp_min_(-1).log1p_().mul_(1 + self._longer).exp_()
                p.mul_(factor)
                if momentum:
                    growth = torch.div(p, x.clamp_min_(self._tiny), out=factor).pow_(momentum)
                    x.copy_(p)
                    p.mul_(growth)
                else:
                    x.copy_(p)
            self._passes.put(part, p, image=True)
            yield

    def _put_image(self) -> None:
        for part in self._passes.image_parts:
            self._passes.put(part, self._p[part], image=True)


def _weights(physics: Physics, like: Tensor) -> Tensor:
    seen = sensitivity(physics, like)
    return torch.where(seen >= SMALLEST_SENSITIVITY * seen.max(), 1 / seen, 0.0)


def _flat_start(light: Tensor, background: float) -> float:
    level = float(light.mean()) - background
    return level if level > 0 else float((light - background).clamp_min(0).mean())
