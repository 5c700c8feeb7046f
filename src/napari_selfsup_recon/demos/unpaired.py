"""Interactive demo of ISCL: noise that neighbours share, clean examples of other places."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from napari_selfsup_recon.demos._interactive import run_demo

SAMPLE = "unpaired_2d"
# Small enough for a laptop without a GPU.
OPTIONS = {"steps": 200, "crop": 48, "ensemble": False}


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code when it is closed."""
    words = "Denoise an image with clean examples of other places in napari."
    return run_demo(SAMPLE, OPTIONS, argv, words)


if __name__ == "__main__":
    sys.exit(main())
