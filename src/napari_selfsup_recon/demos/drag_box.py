"""Interactive demo of a box that is dragged over a large image, sharpened where it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from napari_selfsup_recon.demos._interactive import run_demo

SAMPLE = "large_2d"
OPTIONS = {"steps": 300}


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code when it is closed."""
    words = "Drag a box over a large image in napari: what is inside is sharpened at once."
    return run_demo(SAMPLE, OPTIONS, argv, words, opened=_opened)


def _opened(viewer: Any, dock: Any) -> None:
    from napari_selfsup_recon.demos.box import add_box

    add_box(viewer, dock)


if __name__ == "__main__":
    sys.exit(main())
