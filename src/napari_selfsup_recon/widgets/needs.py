"""What a run needs of the memory, and what helps where there is too little."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from napari_selfsup_recon.core.memory import free_memory, readable_bytes
from napari_selfsup_recon.runs.memory import memory_needed
from napari_selfsup_recon.widgets.choices import MethodChoice
from napari_selfsup_recon.widgets.request import Request


@dataclass(frozen=True)
class Needs:
    """Bytes, roughly.

    Attributes
    ----------
    needed
        While it runs.
    results
        What stays in memory of it.
    splits
        Whether it is worked on frame by frame, so that results can be written to disk.
    """

    needed: int
    results: int
    splits: bool

    @property
    def advice(self) -> str:
        """What is said where the results do not fit into the memory; empty where they do."""
        free = free_memory()
        if not self.splits or self.results <= free:
            return ""
        return (
            f"The result takes {readable_bytes(self.results)}, but only {readable_bytes(free)} are "
            "free. It can be written to disk, frame by frame."
        )


def needs_of(request: Request, choice: MethodChoice) -> Needs:
    """Return what the run of ``request`` needs with the methods of ``choice``."""
    options = [o for o in (choice.options, choice.baseline_options) if o is not None]
    measurement, region = request.source.measurement, request.config.region
    if region is not None:
        measurement = measurement.crop(tuple(slice(a, b) for a, b in region))
    on_disk = bool(request.folder)
    needed = max(memory_needed(option, measurement, None, on_disk=on_disk) for option in options)
    count = 1 + (request.config.baseline is not None and request.config.method is not None)
    splits = request.config.task != "reconstruct" and prod(measurement.leading_shape) > 1
    return Needs(needed, 0 if on_disk else 4 * count * prod(measurement.shape), splits)
