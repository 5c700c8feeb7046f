"""Load the machinery of computing ahead of time: it takes seconds, and the first preview waits."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any

_started = threading.Event()


def warm_up() -> None:
    """Begin to import torch in the background; once, and never while the dock merely opens."""
    if "torch" in sys.modules or _started.is_set():
        return
    _started.set()
    threading.Thread(target=import_module, args=("torch",), name="warm-up").start()


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
    """If another thread is importing torch, wait until it has."""
    if torch_is_loading():
        import_module("torch")
