"""Explicit random generators. A random draw without one is a defect."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2**63) that depends on every part and on nothing else.

    A step that derives its seed from (seed, step number) needs no stored generator state to resume.
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch generator on ``device`` seeded by :func:`derive_seed`."""
    import torch

    return torch.Generator(device=device).manual_seed(derive_seed(*parts))


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """Return a NumPy generator seeded by :func:`derive_seed`."""
    return np.random.default_rng(derive_seed(*parts))
