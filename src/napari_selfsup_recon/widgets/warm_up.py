"""Load the machinery of computing ahead of time: it takes seconds, and the first preview waits."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any

# What a run imports, beside the methods.
_RUN = ("napari_selfsup_recon.runs._job", "napari_selfsup_recon.runs._recon_job")

_started = threading.Event()
_loaded = threading.Event()


def warm_up() -> None:
    """Begin to import torch in the background; once, and never while the dock merely opens."""
    if _started.is_set():
        return
    _started.set()
    threading.Thread(target=_load, name="warm-up").start()


def _load() -> None:
    """Load what every run needs; then what only learning does, while a first image is made."""
    try:
        torch = import_module("torch")
        for name in _RUN:
            import_module(name)
        methods = import_module("napari_selfsup_recon.methods.registry").METHODS
        for key in methods:
            methods[key].load_method()
    finally:
        _loaded.set()
    # The first optimiser of a process loads more of torch, which takes almost as long as the rest.
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])


def loaded_torch() -> Any:
    """Return torch if it is loaded; None if not, or while another thread is still at it."""
    torch = sys.modules.get("torch")
    if torch is None or getattr(torch.__spec__, "_initializing", False):
        return None
    return torch


def torch_is_loading() -> bool:
    """Whether another thread is importing torch, which must not be touched meanwhile."""
    return "torch" in sys.modules and loaded_torch() is None


def wait_for_torch() -> None:
    """If another thread is importing what runs need, wait until it has."""
    if _started.is_set():
        _loaded.wait()
    if torch_is_loading():
        import_module("torch")
