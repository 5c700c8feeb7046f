"""Where and how precisely to compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from napari_selfsup_recon.core.errors import InputError, OutOfMemoryError, ReconError
from napari_selfsup_recon.core.memory import readable_bytes


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; ``"auto"`` is the GPU with most free memory, else the CPU.

    Raises
    ------
    InputError
        If there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            free = [torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count())]
            return torch.device("cuda", free.index(max(free)))
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as cause:
        raise InputError(
            f"The device {name!r} cannot be used here.", hint="Choose auto or cpu."
        ) from cause
    return device


def describe_device(device: torch.device) -> str:
    """Return the device as people call it, for example ``"RTX 4070, 9.8 GB free"``."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return f"{torch.cuda.get_device_name(device)}, {readable_bytes(free)} free"
    if device.type == "cpu":
        return f"CPU, {torch.get_num_threads()} thread(s)"
    return str(device)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context in which networks run; physics and losses stay outside it."""
    if precision == "bfloat16" or (
        precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    ):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def memory_guard(device: torch.device) -> Iterator[None]:
    """Turn the out-of-memory errors of every device into :class:`OutOfMemoryError`."""
    try:
        yield
    except ReconError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as cause:
        raise _out_of_memory(device) from cause
    except RuntimeError as cause:  # the CPU allocator raises a plain RuntimeError
        if "not enough memory" in str(cause) or "out of memory" in str(cause).lower():
            raise _out_of_memory(device) from cause
        raise


def _out_of_memory(device: torch.device) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"The memory of the {device.type.upper()} ran out.",
        hint="Use smaller crops, a smaller region, or the CPU.",
    )


def laid_out(model: nn.Module, ndim: int, device: torch.device) -> nn.Module:
    """Return ``model`` on ``device``; on GPUs with channels last, as fast convolutions want it."""
    model = model.to(device)
    if device.type != "cuda":
        return model
    layout = torch.channels_last if ndim == 2 else torch.channels_last_3d
    return model.to(memory_format=layout)  # type: ignore[call-overload,no-any-return]
