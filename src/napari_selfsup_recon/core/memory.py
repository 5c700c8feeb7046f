"""Memory facts of this machine."""

from __future__ import annotations

import os
from pathlib import Path


def free_memory() -> int:
    """Return the free main memory in bytes (what Linux calls available; else half of all)."""
    info = Path("/proc/meminfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf"):
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        except (ValueError, OSError):
            pass
    return 4 * 2**30


def readable_bytes(count: float) -> str:
    """Return ``count`` as people say it, for example ``"3.1 GB"``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
