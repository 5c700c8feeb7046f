"""What the interactive demos share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from napari_selfsup_recon.demos._window import has_display, open_sample_with_dock


def run_demo(
    sample: str,
    options: Mapping[str, Any],
    argv: Sequence[str] | None,
    description: str,
    *,
    opened: Callable[[Any, Any], None] = lambda viewer, dock: None,
) -> int:
    """Open a window with a sample, ready to run; return the exit code when it is closed.

    ``opened`` is called with the viewer and the dock before the window is handed over.
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--run", action="store_true", help="start at once")
    arguments = parser.parse_args(argv)
    if not has_display():
        print(
            "error: This demo opens a window, and there is no display here. "
            "Try: python -m napari_selfsup_recon.demos --headless",
            file=sys.stderr,
        )
        return 2
    import napari

    viewer, dock = open_sample_with_dock(sample, options)
    opened(viewer, dock)
    if arguments.run:
        dock.start()
    napari.run()
    return 0
