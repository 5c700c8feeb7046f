"""How much memory a run needs and how much there is; torch is asked only where it is loaded."""

from __future__ import annotations

import re
import sys
from math import prod
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.memory import free_memory
from napari_selfsup_recon.core.options import Options

_DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_IMAGES_AT_ONCE = 12
# Of networks, measured on the CPU: bytes of training crops, and per voxel of the largest tile that
# is reconstructed at once and channel of the finest level.
_TRAINING_BYTES = 200 * 2**20
_TILE = {2: (352, 352), 3: (44, 88, 88)}
_VOXEL_BYTES = {2: 64, 3: 84}


def check_device(name: str) -> None:
    """Refuse names that are no device; whether this machine has it shows when the run starts."""
    if not _DEVICES.fullmatch(name):
        raise InputError(
            f"There is no device called {name!r}.", hint="Choose auto, cpu, cuda, cuda:1 or mps."
        )


def memory_needed(
    options: Options,
    measurement: Measurement,
    psf: np.ndarray[Any, Any] | None,
    *,
    on_disk: bool = False,
) -> int:
    """Return a rough number of bytes for one method.

    An options model may have ``memory_estimate(shape) -> int`` for one image of ``shape``. Without
    one, twelve float32 images of the size of image and PSF are taken: measurement, estimate,
    its predecessor, and the padded transforms. Where the options have a ``width``, a network of
    that many channels comes on top, where they have a ``slab`` the neighbours that are seen with
    each slice, and the stacked result does unless it is written to disk.
    """
    kernel = psf.shape if psf is not None else (1,) * measurement.spatial_ndim
    shape = tuple(n + k - 1 for n, k in zip(measurement.spatial_shape, kernel, strict=True))
    estimate = getattr(options, "memory_estimate", None)
    one = int(estimate(shape)) if callable(estimate) else _IMAGES_AT_ONCE * 4 * prod(shape)
    width = getattr(options, "width", None)
    if isinstance(width, int) and not callable(estimate):
        tile = (min(n, most) for n, most in zip(shape, _TILE[len(shape)], strict=True))
        one += _TRAINING_BYTES + width * _VOXEL_BYTES[len(shape)] * prod(tile)
    more = int(getattr(options, "slab", 1)) - 1
    if more:  # neighbours of every slice of a step
        one += more * int(getattr(options, "batch", 1)) * _IMAGES_AT_ONCE * 4 * prod(shape[-2:])
    return one + 4 * prod(measurement.spatial_shape if on_disk else measurement.shape)


def device_memory(device: str) -> int:
    """Return the free bytes of ``device``; the main memory where torch is not loaded yet."""
    torch = sys.modules.get("torch")
    # While another thread is importing torch, its parts are not there yet.
    available = getattr(getattr(torch, "cuda", None), "is_available", None)
    if device in ("cpu", "mps") or torch is None or available is None or not available():
        return free_memory()
    if device == "auto":
        return int(max(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count())))
    index = int(device.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise InputError(f"There is no device called {device!r} here.", hint="Choose auto or cpu.")
    return int(torch.cuda.mem_get_info(index)[0])
