"""What is installed, what a file holds, which methods there are."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import napari_selfsup_recon
from napari_selfsup_recon.cli._fields import option_lines
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.memory import free_memory, readable_bytes
from napari_selfsup_recon.methods.registry import METHODS


def info(arguments: argparse.Namespace) -> int:
    """Print what is installed, or what a file holds."""
    lines = _file(Path(arguments.file)) if arguments.file else _machine()
    print("\n".join(lines))
    return 0


def methods(arguments: argparse.Namespace) -> int:
    """Print the methods, or the options of one."""
    if arguments.key:
        entry = METHODS.find(arguments.key)
        print(f"{entry.label} ({entry.key}): {entry.summary} Needs: {entry.needs}\n")
        print("\n".join(option_lines(entry.load_options())))
        return 0
    print("\n".join(_methods()))
    return 0


def _methods() -> list[str]:
    rows = [(e.key, e.label, ", ".join(e.tasks), e.summary) for e in METHODS.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    ]


def _machine() -> list[str]:
    lines = [
        f"napari-selfsup-recon {napari_selfsup_recon.__version__}",
        f"Python {platform.python_version()} on {platform.platform()}",
    ]
    try:
        import torch
    except ImportError as error:
        lines.append(f"torch cannot be loaded: {error}")
    else:
        from napari_selfsup_recon.training.device import describe_device, pick_device

        lines.append(f"torch {torch.__version__}")
        lines.append(f"device {describe_device(pick_device())}")
    lines.append(f"memory {readable_bytes(free_memory())} free, {os.cpu_count()} CPU cores")
    return [*lines, "", "methods", *(f"  {line}" for line in _methods())]


def _file(path: Path) -> list[str]:
    from napari_selfsup_recon.io import volumes

    image: Measurement = volumes.read(path)
    lines = [f"{path}", f"type   {image.dtype}"]
    for axis, n, scale, unit in zip(image.axes, image.shape, image.scale, image.units, strict=True):
        size = "" if unit == "pixel" and scale == 1 else f", {scale:g} {unit} each"
        lines.append(f"axis   {axis}: {n}{size}")
    return [*lines, *_provenance(volumes.read_provenance(path))]


def _provenance(facts: Any) -> list[str]:
    if not isinstance(facts, dict):
        return []
    wanted = ("method", "steps", "best_step", "reason", "scores", "device", "seconds", "created")
    lines = [f"{name:<10} {facts[name]}" for name in wanted if facts.get(name) not in (None, {})]
    lines += [
        f"{name:<10} {json.dumps(facts[name], ensure_ascii=False)}"
        for name in ("options", "physics", "source", "versions")
        if facts.get(name)
    ]
    return ["", "made by napari-selfsup-recon", *lines]
