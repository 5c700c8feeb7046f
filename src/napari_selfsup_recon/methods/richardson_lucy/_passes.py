"""A linear operator and its transpose, applied in parts to buffers that stay where they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from math import prod

import torch
from torch import Tensor

from napari_selfsup_recon.physics._mirror import mirror, mirror_adjoint
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur

# A part and what is computed from it should stay in the cache of a core.
_PART_BYTES = 2**21
# A graphics card is fed with fewer and larger pieces.
_DEVICE_PART_BYTES = 2**28


class Passes(ABC):
    """One value, image or measurement, that is put in, mapped, and taken out part by part.

    A part is a slice of the first spatial axis. Images are *stored* with a margin of zeros behind
    the other axes where the operator works on larger arrays, so that nothing is padded or cropped
    on the way; :meth:`store` and :meth:`crop` convert.

    Attributes
    ----------
    image_parts, measurement_parts
        The slices that make up an image and a measurement.
    """

    image_parts: tuple[slice, ...]
    measurement_parts: tuple[slice, ...]

    def __init__(self, stored_shape: tuple[int, ...]) -> None:
        self._stored_shape = stored_shape

    def store(self, image: Tensor) -> Tensor:
        """Return a stored copy of ``image``, zero in the margin."""
        stored = image.new_zeros(self._stored_shape)
        self.crop(stored, image.shape).copy_(image)
        return stored

    @staticmethod
    def crop(stored: Tensor, shape: Sequence[int]) -> Tensor:
        """Return the view of ``stored`` without margin; the first axis is left as it is."""
        for axis, n in enumerate(shape[1:], start=1):
            stored = stored.narrow(axis, 0, n)
        return stored

    @abstractmethod
    def put(self, part: slice, value: Tensor, *, image: bool) -> None:
        """Put one part of a stored image or of a measurement in; it is copied."""

    @abstractmethod
    def transform(self, *, transposed: bool) -> Iterator[None]:
        """Apply the operator to what was put in, yielding now and then on the way."""

    @abstractmethod
    def take(self, part: slice, *, image: bool) -> Tensor:
        """Return one part of the result; it is the caller's to change.

        An image is as if stored, but arbitrary in the margin.
        """


class PlainPasses(Passes):
    """Any physics, in one part."""

    def __init__(self, physics: Physics) -> None:
        super().__init__(physics.image_shape)
        self._physics = physics
        self._value = torch.empty(0)
        self.image_parts = (slice(0, physics.image_shape[0]),)
        self.measurement_parts = (slice(0, physics.measurement_shape[0]),)

    def put(self, part: slice, value: Tensor, *, image: bool) -> None:
        """Put a whole image or measurement in."""
        self._value = value[None, None].clone()

    def transform(self, *, transposed: bool) -> Iterator[None]:
        """Apply the physics."""
        apply = self._physics.A_adjoint if transposed else self._physics.A
        with torch.no_grad():
            self._value = apply(self._value)
        yield

    def take(self, part: slice, *, image: bool) -> Tensor:
        """Return the whole result."""
        return self._value[0, 0]


class BlurPasses(Passes):
    """A blur whose transforms are cut in two, so that one iteration reads memory only four times.

    The spectrum is kept transformed along all axes but the first. A part is some rows of the first
    axis: taking it out and putting it in transforms its inner axes while it lies in the cache. The
    operator itself transforms the first axis, some columns at a time, multiplies by the transfer
    function and transforms back. Rows that are zero by construction, or that nobody reads, are
    never transformed along the inner axes. The result is the same as that of the whole transform.
    """

    def __init__(self, blur: Blur, like: Tensor, *, part_bytes: int | None = None) -> None:
        mirrored = blur.boundary == "reflect"
        super().__init__(
            blur.image_shape if mirrored else (blur.image_shape[0], *blur.fft_shape[1:])
        )
        if part_bytes is None:
            part_bytes = _PART_BYTES if like.device.type == "cpu" else _DEVICE_PART_BYTES
        self._blur = blur
        self._otf = blur.otf(like)
        self._inner = blur.fft_shape[1:]
        self._axes = tuple(range(1, len(blur.fft_shape)))
        # The blur of a mirrored image is that of an extended one, and a mirror before it.
        self._mirrored = mirrored
        self._reach = tuple((k - 1 - k // 2, k // 2) for k in blur.psf.shape)
        rows = max(blur.image_shape[0], blur.measurement_shape[0])
        self._spectrum = self._otf.new_empty(rows, *self._otf.shape[1:])
        row_bytes = like.element_size() * prod(self._inner)
        self.image_parts = _slices(blur.image_shape[0], part_bytes // row_bytes)
        self.measurement_parts = _slices(blur.measurement_shape[0], part_bytes // row_bytes)
        column_bytes = self._otf[:, 0].numel() * self._otf.element_size()
        self._columns = _slices(self._otf.shape[1], part_bytes // column_bytes)

    def put(self, part: slice, value: Tensor, *, image: bool) -> None:
        """Transform the inner axes of some rows and keep them."""
        if image and self._mirrored:
            for axis in self._axes:
                value = mirror(value, axis, *self._reach[axis])
        self._spectrum[part] = torch.fft.rfftn(value, s=self._inner, dim=self._axes)

    def transform(self, *, transposed: bool) -> Iterator[None]:
        """Convolve along the first axis, some columns at a time."""
        shapes = self._blur.image_shape, self._blur.measurement_shape
        read, write = (shape[0] for shape in (reversed(shapes) if transposed else shapes))
        for columns in self._columns:
            lines = self._spectrum[:read, columns]
            otf = self._otf[:, columns]
            if self._mirrored and not transposed:
                lines = mirror(lines, 0, *self._reach[0])
            lines = torch.fft.fft(lines, n=otf.shape[0], dim=0)
            lines = torch.fft.ifft(lines.mul_(otf.conj() if transposed else otf), dim=0)
            if self._mirrored and transposed:
                lines = mirror_adjoint(lines[: write + sum(self._reach[0])], 0, *self._reach[0])
            self._spectrum[:write, columns] = lines[:write]
            yield

    def take(self, part: slice, *, image: bool) -> Tensor:
        """Transform the inner axes of some rows back."""
        rows: Tensor = torch.fft.irfftn(self._spectrum[part], s=self._inner, dim=self._axes)
        if image and self._mirrored:
            for axis in self._axes:
                before, behind = self._reach[axis]
                rows = rows.narrow(axis, 0, self._blur.image_shape[axis] + before + behind)
                rows = mirror_adjoint(rows, axis, before, behind)
        return rows if image else self.crop(rows, self._blur.measurement_shape)


def _slices(total: int, size: int) -> tuple[slice, ...]:
    size = max(1, size)
    return tuple(slice(i, min(i + size, total)) for i in range(0, total, size))
