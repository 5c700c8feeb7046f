"""``python -m napari_selfsup_recon.demos``: degrade a real micrograph, restore it, score it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.demos._window import has_display


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m napari_selfsup_recon.demos",
        description="Blur and spoil a real micrograph, restore it with Lucy-Richardson and with a "
        "network that learns from the spoiled image alone, and compare both with the truth.",
        allow_abbrev=False,
    )
    parser.add_argument("--headless", action="store_true", help="write a figure, open no window")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), help="folder (default: demo-output)"
    )
    parser.add_argument(
        "--budget", type=float, default=240.0, help="seconds to train (default: 240)"
    )
    parser.add_argument(
        "--steps", type=int, help="steps to train (default: what the budget allows)"
    )
    parser.add_argument("--side", type=int, default=512, help="pixels of the image (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    arguments = parser.parse_args(argv)
    try:
        return _run(arguments)
    except ReconError as error:
        print(f"error: {error}", file=sys.stderr)
        return 4


def _run(arguments: argparse.Namespace) -> int:
    from napari_selfsup_recon.demos._figure import write_figure
    from napari_selfsup_recon.demos._micrograph import degraded_micrograph
    from napari_selfsup_recon.demos._restore import restore
    from napari_selfsup_recon.metrics.table import table

    began = perf_counter()
    degraded, psf = degraded_micrograph(arguments.side, seed=arguments.seed)
    images = restore(degraded, psf, budget=arguments.budget, steps=arguments.steps)
    scores = table(degraded.truth, images)
    print(scores)
    figure = write_figure(arguments.output / "micrograph.png", degraded.truth, images, scores)
    (arguments.output / "scores.md").write_text(scores.markdown() + "\n", encoding="utf-8")
    print(f"\nfigure: {figure}\ntime:   {perf_counter() - began:.0f} s")
    if not arguments.headless and has_display():
        import napari

        from napari_selfsup_recon.demos._window import show_compared

        show_compared(degraded.truth, images)
        napari.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
