"""Load the machinery of computing ahead of time: it takes seconds, and the first preview waits."""

from __future__ import annotations

import sys
import threading
from importlib import import_module

_started = threading.Event()


def warm_up() -> None:
    """Begin to import torch in the background; once, and never while the dock merely opens."""
    if "torch" in sys.modules or _started.is_set():
        return
    _started.set()
    threading.Thread(target=import_module, args=("torch",), name="warm-up").start()
