"""Total variation of a blurred image by splitting: an exact inverse filter in every iteration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, pi
from typing import ClassVar

import torch
from torch import Tensor

from napari_selfsup_recon.methods.total_variation._data import Data
from napari_selfsup_recon.physics.blur import Blur

# Penalties of the measurement, of the differences (times the weight) and of the limits where the
# differences of the image have a root mean square of one noise: fastest of those tried on volumes
# that are in no benchmark. After so many iterations they are fitted to the image so far.
_PENALTIES = (0.05, 0.3, 0.005)
_FIRST_ROUGHNESS = 0.5
_FITTED_AFTER = (5, 11, 23)
_LEAST_ROUGHNESS = 0.02


class Splitting:
    r"""Minimise data term plus total variation, for a blur.

    .. math:: \min_{l \le x \le h} \; \sum_i \rho\!\left(\frac{(A x)_i - y_i}{\sigma_i}\right)
              + \lambda \|A\| \sum_j \left( |D x|_j + \kappa |C x|_j \right)

    with the differences :math:`(D x)_{aj} = w_a (x_{j + e_a} - x_j)` and, if wanted, the curvatures
    :math:`(C x)_{aj} = w_a^2 (x_{j + e_a} - 2 x_j + x_{j - e_a})`, by the alternating direction
    method of multipliers on u = Hx, v = Dx (and Cx) and z = x, where H is the blur on a torus that
    holds the image and its margin, so that

    .. math:: x \leftarrow (\mu_1 H^T H + \mu_2 D^T D + \mu_3)^{-1}
              (\mu_1 H^T (u + u') + \mu_2 D^T (v + v') + \mu_3 (z + z'))

    is one filter in the Fourier domain; u, v and z follow voxel by voxel (Almeida and Figueiredo,
    IEEE Trans. Image Process. 22 (2013)). What the measurement does not see of the torus is left to
    the total variation. A blur that hides much (a widefield volume) needs some tens of iterations,
    where first-order methods need many hundreds.

    Parameters
    ----------
    physics
        Blur whose boundary is ``"extended"`` or ``"circular"``.
    data
        Data term.
    norm
        Largest singular value of the blur.
    weight
        :math:`\lambda`.
    limits
        l and h in units of the noise, None where there is none.
    scales
        w, an axis.
    curvature
        :math:`\kappa`: slopes cost nothing to it, so surfaces are less like terraces.

    Attributes
    ----------
    count
        Iterations done.
    change
        Root mean square of the last watched step relative to the contrast of the measurement.
    still, still_enough
        Below this change the image stands still; well enough to compare weights.
    """

    still: ClassVar[float] = 2e-3
    still_enough: ClassVar[float] = 5e-3

    def __init__(
        self,
        physics: Blur,
        data: Data,
        *,
        norm: float,
        weight: float,
        limits: tuple[float | None, float | None],
        scales: Sequence[float],
        curvature: float = 0.0,
    ) -> None:
        y = data.y
        self.count = 0
        self.change = float("inf")
        self.weight = weight
        self.data = data
        self._norm, self._limits = norm, limits
        self._shape = physics.image_shape
        self._torus = physics.fft_shape
        self._scales = [s if n > 1 else 0.0 for s, n in zip(scales, self._torus, strict=True)]
        self._otf = physics.otf(y)
        self._spread = max(data.spread(), 1.0)
        self._seen = tuple(slice(0, n) for n in physics.measurement_shape)
        level = _level(data, float(self._otf.flatten()[0].real))
        start = y.new_full(self._torus, self._limited(y.new_tensor(level)).item())
        # u and z begin where the start leads to, their duals and those of the differences at zero.
        self._image = start
        self._u = self._filtered(torch.fft.rfftn(start))
        self._u_dual = torch.zeros_like(start)
        self._shares = (1.0, curvature) if curvature else (1.0,)
        self._p = y.new_zeros(len(self._shares), len(scales), *self._torus)
        self._pull = torch.zeros_like(start)
        self._z = start.clone()
        self._z_dual = torch.zeros_like(start)
        self._expected = self._u[self._seen].clone()
        self._laplacian = self._second_differences(y)
        self._roughness = _FIRST_ROUGHNESS

    @property
    def estimate(self) -> Tensor:
        """The image so far, ``image_shape``, in units of the noise; a copy."""
        return self._z[tuple(slice(0, n) for n in self._shape)].clone()

    @property
    def expected(self) -> Tensor:
        """The measurement that the image explains, in units of the noise."""
        return self._expected

    def reweigh(self, weight: float) -> None:
        """Go on with another weight from where the iteration is."""
        # The duals are in units of the weight: they follow by themselves.
        self.weight = weight
        self.change = float("inf")

    def confine(self, limits: tuple[float | None, float | None]) -> None:
        """Go on with other limits from where the iteration is."""
        self._limits = limits
        self.change = float("inf")

    def step(self, *, watch: bool = False) -> Iterator[None]:
        """Do one iteration; yields several times on the way so that others can have a turn.

        With ``watch`` the change of the image is measured.
        """
        of_data, of_differences, of_limits = self._penalties()
        spectrum = torch.fft.rfftn(self._u.add_(self._u_dual)).mul_(self._otf.conj()).mul_(of_data)
        yield
        right = self._pull.mul_(of_differences).add_(self._z, alpha=of_limits)
        spectrum += torch.fft.rfftn(right.add_(self._z_dual, alpha=of_limits))
        yield
        weight = self._otf.abs().square_().mul_(of_data)
        spectrum /= weight.add_(self._laplacian, alpha=of_differences).add_(of_limits)
        image = torch.fft.irfftn(spectrum, s=self._torus)
        if watch:
            moved = (image - self._image).square_().mean(dtype=torch.float64)
            self.change = self._norm * float(moved) ** 0.5 / self._spread
        self._image = image
        yield
        if self.count in _FITTED_AFTER:
            self._fit_penalties(image)
        self._fit(self._filtered(spectrum), self._penalties()[0])
        yield
        yield from self._smooth(image)
        point = image - self._z_dual
        self._z = self._limited(point)
        self._z_dual = torch.sub(self._z, point, out=point)
        self.count += 1

    def _penalties(self) -> tuple[float, float, float]:
        of_data, of_differences, of_limits = (p / self._roughness for p in _PENALTIES)
        return of_data, of_differences * self.weight * self._norm, of_limits

    def _fit_penalties(self, image: Tensor) -> None:
        """Fit the penalties to the differences of the image; the duals keep their meaning."""
        squares = [
            float(_differences(image, axis, 1).square_().mean(dtype=torch.float64)) * s**2
            for axis, s in enumerate(self._scales)
            if s
        ]
        before = self._roughness
        self._roughness = max((sum(squares) / max(1, len(squares))) ** 0.5, _LEAST_ROUGHNESS)
        for dual in (self._u_dual, self._p, self._z_dual):
            dual.mul_(self._roughness / before)

    def _fit(self, blurred: Tensor, penalty: float) -> None:
        """Move u towards the measurement, where there is one."""
        self._expected = blurred[self._seen].clone()
        point = blurred.sub_(self._u_dual)
        self._u = point.clone()
        seen = self._u[self._seen]
        pulls = self.data.dual(slice(None), seen * penalty, penalty)
        seen.sub_(pulls, alpha=1 / penalty)
        self._u_dual = torch.sub(self._u, point, out=point)

    def _smooth(self, image: Tensor) -> Iterator[None]:
        """Move v: differences shrink by the weight over their penalty, whatever the weight is."""
        threshold = self._roughness / _PENALTIES[1]
        axes = [(axis, scale) for axis, scale in enumerate(self._scales) if scale]
        self._pull = torch.zeros_like(image)
        for order, (share, duals) in enumerate(zip(self._shares, self._p, strict=True), start=1):
            length: Tensor | None = None
            for axis, scale in axes:
                p = duals[axis]
                torch.sub(_differences(image, axis, order).mul_(scale**order), p, out=p)
                length = p.square() if length is None else length.addcmul_(p, p)
            if length is None:
                return
            yield
            # Share of the point that the shrunken differences keep.
            kept = length.sqrt_().clamp_min_(threshold).reciprocal_().mul_(-threshold).add_(1)
            for axis, scale in axes:
                p = duals[axis]
                v = p * kept
                p.sub_(v).neg_()  # the dual: what the shrinking took off, with its sign
                v.add_(p).mul_(share * scale**order)
                self._pull += _transposed_differences(v, axis, order)
            yield

    def _filtered(self, spectrum: Tensor) -> Tensor:
        blurred: Tensor = torch.fft.irfftn(spectrum * self._otf, s=self._torus)
        return blurred

    def _limited(self, x: Tensor) -> Tensor:
        low, high = self._limits
        return x.clone() if low is None and high is None else x.clamp(low, high)

    def _second_differences(self, like: Tensor) -> Tensor:
        """Return the eigenvalues of D'D (and C'C) on the torus (half spectrum)."""
        total = like.new_zeros(())
        last = len(self._torus) - 1
        for axis, (n, scale) in enumerate(zip(self._torus, self._scales, strict=True)):
            count = n // 2 + 1 if axis == last else n
            first = [scale**2 * (2 - 2 * cos(2 * pi * k / n)) for k in range(count)]
            values = [sum(w * f**m for m, w in enumerate(self._shares, start=1)) for f in first]
            shape = [count if a == axis else 1 for a in range(last + 1)]
            total = total + like.new_tensor(values).reshape(shape)
        return total


def _differences(x: Tensor, axis: int, order: int) -> Tensor:
    """Return first or second differences on the torus."""
    ahead = torch.roll(x, -1, axis).sub_(x)
    return ahead if order == 1 else ahead.sub_(x).add_(torch.roll(x, 1, axis))


def _transposed_differences(v: Tensor, axis: int, order: int) -> Tensor:
    """Return the transpose of :func:`_differences`, applied to ``v``."""
    if order == 2:
        return _differences(v, axis, 2)
    return torch.roll(v, 1, axis).sub_(v)


def _level(data: Data, gain: float) -> float:
    """Return the grey value of the flat image that explains the measurement best."""
    counted = data.inverse > 0
    return float(data.y[counted].mean()) / gain if bool(counted.any()) and gain else 0.0
