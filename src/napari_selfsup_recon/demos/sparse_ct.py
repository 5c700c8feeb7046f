"""Interactive demo of CT with few views: sinograms, a slice that follows, and EI ready to run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from napari_selfsup_recon.demos._interactive import run_demo

SAMPLE = "sparse_ct"
# Small enough for a laptop without a GPU.
OPTIONS = {"steps": 200, "width": 8, "batch": 2}


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code when it is closed."""
    words = "Reconstruct slices from few views in napari, and choose how few."
    return run_demo(SAMPLE, OPTIONS, argv, words, opened=_opened)


def _opened(viewer: Any, dock: Any) -> None:
    from napari_selfsup_recon.demos.views import add_views

    add_views(viewer, dock)


if __name__ == "__main__":
    sys.exit(main())
