"""Products with the matrix of rays: from memory where it fits, else chunk by chunk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import prod
from types import ModuleType

import torch
from torch import Tensor

from napari_selfsup_recon.physics.tomography import _matrix
from napari_selfsup_recon.physics.tomography._rays import Rays

# Temporaries of the torch form: what a chunk of rays may take, in bytes.
_CHUNK = {"cpu": 24 * 2**20, "cuda": 2**30}
_BYTES_AN_ENTRY = 60

RaysOf = Callable[[int, int], Rays]


@cache
def _compiled() -> ModuleType | None:
    """The compiled loops, where numba is."""
    try:
        return import_module("napari_selfsup_recon.physics.tomography._compiled")
    except ImportError:
        return None


@dataclass(frozen=True)
class _Pair:
    forward: Tensor
    adjoint: Tensor


class Engine:
    """The matrix of rays through an image and its transpose.

    Parameters
    ----------
    rays_of
        Gives the rays of the views ``start`` to ``stop``, on the CPU.
    image_shape, measurement_shape
        ``(y, x)`` and ``(views, cells)``.
    entries
        Expected number of non-zero weights.
    memory
        Bytes that the matrices kept for one dtype and device may take.
    """

    def __init__(
        self,
        rays_of: RaysOf,
        image_shape: Sequence[int],
        measurement_shape: Sequence[int],
        *,
        entries: int,
        memory: int,
    ) -> None:
        self._rays_of = rays_of
        self._image, self._measured = tuple(image_shape), tuple(measurement_shape)
        self._entries, self._memory = entries, memory
        self._pairs: dict[tuple[torch.dtype, torch.device], _Pair] = {}
        self._lock = threading.Lock()

    def fits(self, dtype: torch.dtype) -> bool:
        """Whether both matrices stay within the memory."""
        return self._bytes(dtype) <= self._memory and self._entries < 2**31 - 1

    @property
    def stored(self) -> int:
        """Bytes that the matrices for single precision take."""
        return self._bytes(torch.float32) if self.fits(torch.float32) else 0

    def _bytes(self, dtype: torch.dtype) -> int:
        return 2 * self._entries * (4 + torch.finfo(dtype).bits // 8)

    def forward(self, x: Tensor) -> Tensor:
        """Return the line integrals of the images ``(*leading, y, x)``."""
        return self._run(x, transposed=False)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the transpose applied to the sinograms ``(*leading, views, cells)``."""
        return self._run(y, transposed=True)

    def _run(self, value: Tensor, *, transposed: bool) -> Tensor:
        target = self._image if transposed else self._measured
        flat = value.reshape(-1, value.shape[-2] * value.shape[-1])
        if flat.dtype not in (torch.float32, torch.float64):
            flat = flat.float()
        if flat.device.type not in _CHUNK:  # no sparse products, or no double precision there
            out = self._run(value.cpu(), transposed=transposed)
            return out.to(value.device)
        if not len(flat):
            out = flat.new_zeros(0, prod(target))
        elif self.fits(flat.dtype):
            pair = self._pair(flat.dtype, flat.device)
            out = _matrix.product(pair.adjoint if transposed else pair.forward, flat)
        elif flat.device.type == "cpu" and (compiled := _compiled()):
            flat = flat.detach().contiguous()
            if transposed:
                out = compiled.back_projections(self._rays_of, flat, self._measured, self._image)
            else:
                images = flat.reshape(-1, *self._image)
                out = compiled.line_integrals(self._rays_of, images, self._measured)
        else:
            out = self._chunked(flat, transposed)
        return out.to(value.dtype).reshape(*value.shape[:-2], *target)

    def _chunked(self, flat: Tensor, transposed: bool) -> Tensor:
        out = flat.new_zeros(len(flat), prod(self._image if transposed else self._measured))
        views, cells = self._measured
        at, some = 0, max(1, self._rays_at_once(flat.device) // cells)
        for view in range(0, views, some):
            for rays in self._chunks(self._rays_of(view, min(views, view + some)), flat.device):
                counts, index, weights = _matrix.entries(rays, self._image)
                matrix = _matrix.csr(counts, index, weights.to(flat.dtype), prod(self._image))
                stop = at + len(rays)
                if transposed:
                    part = flat[:, at:stop]
                    out += _matrix.product(_matrix.transposed(matrix), part.contiguous())
                else:
                    out[:, at:stop] = _matrix.product(matrix, flat)
                at = stop
        return out

    def _chunks(self, rays: Rays, device: torch.device) -> list[Rays]:
        size, rays = self._rays_at_once(device), rays.to(device)
        return [rays.part(at, at + size) for at in range(0, len(rays), size)]

    def _rays_at_once(self, device: torch.device) -> int:
        room = _CHUNK.get(device.type, _CHUNK["cpu"])
        return max(1, room // (_BYTES_AN_ENTRY * 3 * max(self._image)))

    def _pair(self, dtype: torch.dtype, device: torch.device) -> _Pair:
        with self._lock:
            found = self._pairs.get((dtype, device))
            if found is None:
                found = self._pairs[dtype, device] = self._build(dtype, device)
            return found

    def _build(self, dtype: torch.dtype, device: torch.device) -> _Pair:
        if compiled := _compiled():
            rays = self._rays_of(0, self._measured[0])
            pair = compiled.matrices(rays, self._measured, self._image, dtype)
            return _Pair(*(matrix.to(device) for matrix in pair))
        parts = []
        for rays in self._chunks(self._rays_of(0, self._measured[0]), device):
            counts, index, weights = _matrix.entries(rays, self._image)
            parts.append((counts, index, weights.to(dtype)))
        counts, index, weights = (torch.cat(part) for part in zip(*parts, strict=True))
        matrix = _matrix.csr(counts, index, weights, prod(self._image))
        return _Pair(matrix, _matrix.transposed(matrix))
