"""Interactive demo in 2D: a blurred image of cells, its PSF, and the dock, ready to run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from napari_selfsup_recon.demos._interactive import run_demo

SAMPLE = "cells_2d"
OPTIONS = {"steps": 400}


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code when it is closed."""
    return run_demo(SAMPLE, OPTIONS, argv, "Sharpen a blurred image of cells in napari.")


if __name__ == "__main__":
    sys.exit(main())
