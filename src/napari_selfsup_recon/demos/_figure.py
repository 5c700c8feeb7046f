"""The images of the demo side by side, as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.metrics.table import Table


def write_figure(
    path: Path, truth: np.ndarray[Any, Any], images: Mapping[str, Any], scores: Table
) -> Path:
    """Write the truth and ``images`` with their scores as PNG; an existing figure is replaced.

    Raises
    ------
    FileError
        If matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise FileError(
            "The figure cannot be drawn without matplotlib.",
            hint="Install it (pip install matplotlib), or open the demo with a display.",
        ) from error
    titles = {"truth": "truth"} | {
        row.name: f"{row.name}\n{row.psnr:.2f} dB, SSIM {row.ssim:.3f}" for row in scores
    }
    panels = {"truth": truth, **images}
    columns = (len(panels) + 1) // 2
    figure = Figure(figsize=(3.1 * columns, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, columns).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, image) in zip(axes, panels.items(), strict=False):
        axis.imshow(_centre(image), cmap="gray", vmin=0, vmax=1)
        axis.set_title(titles[name], fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _centre(image: np.ndarray[Any, Any], side: int = 256) -> np.ndarray[Any, Any]:
    """Return the middle of ``image``, where pixels can still be told apart."""
    starts = [max(0, (n - side) // 2) for n in image.shape]
    return image[tuple(slice(a, a + side) for a in starts)]
