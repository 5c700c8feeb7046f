"""How many crops are computed at once."""

from __future__ import annotations

from time import perf_counter

import torch

PIECE_SECONDS = 0.2
_CPU_VOXELS = 192 * 192


class MicroBatch:
    """Splits a step into pieces of about 0.2 s.

    On the CPU the size follows from the crop alone, so that the same seed gives the same sums. On
    an accelerator it starts with the whole batch, and the first steps shrink it where a piece takes
    longer.

    Parameters
    ----------
    batch
        Crops in a step.
    voxels
        Voxels of a crop.
    device
        Where it runs.
    fixed
        The size, where the user gave one.
    """

    def __init__(
        self, batch: int, voxels: int, device: torch.device, fixed: int | None = None
    ) -> None:
        self._probes = 0 if fixed or device.type == "cpu" else 4
        size = fixed or (max(1, _CPU_VOXELS // voxels) if device.type == "cpu" else batch)
        self.size = min(size, batch)
        self._device = device
        self._began = 0.0

    def begin(self) -> None:
        """Mark the begin of a piece."""
        self._began = perf_counter()

    def end(self) -> None:
        """Mark the end of a piece; the first ones (after a warm-up) shrink the next."""
        if not self._probes:
            return
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        seconds = perf_counter() - self._began
        self._probes -= 1
        if self._probes < 3 and seconds > PIECE_SECONDS:
            self.size = max(1, int(self.size * PIECE_SECONDS / seconds))
