"""What this machine computes on, as people know it: by name and free memory."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from napari_selfsup_recon.core.memory import free_memory, readable_bytes
from napari_selfsup_recon.widgets.warm_up import loaded_torch


@dataclass(frozen=True)
class Device:
    """Something that computes.

    Attributes
    ----------
    name
        As options name it: ``"cpu"``, ``"cuda:0"``, ``"mps"``.
    label
        As people call it.
    free
        Bytes, None where it does not say.
    """

    name: str
    label: str
    free: int | None

    @property
    def text(self) -> str:
        """In one line, for example ``"cuda:0  NVIDIA RTX A4000, 15.2 GB free"``."""
        told = self.label if self.name == "cpu" else f"{self.name}  {self.label}"
        return told if self.free is None else f"{told}, {readable_bytes(self.free)} free"


def find_devices() -> tuple[Device, ...]:
    """Return the devices of this machine, the CPU first; others only where torch is loaded."""
    main = free_memory()
    found = [Device("cpu", "CPU", main)]
    torch = loaded_torch()
    if _available(getattr(torch, "cuda", None)):
        found += [_cuda(torch, index) for index in range(torch.cuda.device_count())]
    if _available(getattr(getattr(torch, "backends", None), "mps", None)):
        found.append(Device("mps", "Apple GPU", main))  # which shares the main memory
    return tuple(found)


def taken_by_auto(found: tuple[Device, ...]) -> Device:
    """Return what ``"auto"`` takes: the GPU with most free memory, else what is not the CPU."""
    gpus = [device for device in found if device.name.startswith("cuda")]
    return max(gpus, key=lambda gpu: gpu.free or 0) if gpus else found[-1]


def _available(backend: Any) -> bool:
    asked = getattr(backend, "is_available", None)
    return bool(asked is not None and asked())


def _cuda(torch: Any, index: int) -> Device:
    label, free = "GPU", None
    with suppress(RuntimeError):  # one that another program keeps for itself
        label = str(torch.cuda.get_device_properties(index).name)
        free = int(torch.cuda.mem_get_info(index)[0])
    return Device(f"cuda:{index}", label, free)
