"""Where a result comes from: JSON-safe, kept in layers and files."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from itertools import product
from typing import Any

import numpy as np

SCHEMA = 1
METADATA_KEY = "selfsup_recon"


@dataclass(frozen=True)
class Provenance:
    """The recipe and circumstances of one result. Every field is JSON-safe."""

    method: str
    options: dict[str, Any]
    physics: dict[str, Any]
    source: dict[str, Any]
    steps: int = 0
    best_step: int = 0
    reason: str = "finished"
    scores: dict[str, float] = field(default_factory=dict)
    device: str = "cpu"
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=lambda: versions())
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    schema: int = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-safe dictionary."""
        return asdict(self)


def versions() -> dict[str, str]:
    """Return the versions that matter for reproducing a result."""
    found = {"python": platform.python_version()}
    for name in ("napari-selfsup-recon", "torch", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def fingerprint(array: Any) -> str:
    """Return a short hash of shape, dtype and about 64 small blocks spread evenly over the array.

    Works on numpy, zarr and dask arrays alike; blocks, and not single values, so that few chunks
    have to be read.
    """
    places = round(64 ** (1 / len(array.shape)))
    digest = hashlib.sha256(f"{tuple(array.shape)}{np.dtype(array.dtype).name}".encode())
    for block in product(*(_spread(int(n), places) for n in array.shape)):
        digest.update(np.ascontiguousarray(array[block]).tobytes())
    return digest.hexdigest()[:16]


def _spread(n: int, places: int) -> list[slice]:
    """Return ``places`` slices of that length, or fewer, spread evenly over ``range(n)``."""
    last = max(0, n - places)
    starts = sorted({round(last * i / max(1, places - 1)) for i in range(places)})
    return [slice(start, start + places) for start in starts]
