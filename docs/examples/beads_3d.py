"""Beads in 3D: a blurred volume sharpened by Lucy-Richardson and by SSI, and both scored.

``python docs/examples/beads_3d.py`` prints the scores, and opens a window if there is a display;
``STEPS=50`` in front of it trains for less.
"""

import os
from typing import Any

from napari_selfsup_recon import (
    SSI,
    Blur,
    RichardsonLucy,
    RichardsonLucyOptions,
    SSIOptions,
    metrics,
    simulate,
)


def main(steps: int = 200, **options: Any) -> dict[str, Any]:
    """Return the images by name; their scores are printed. ``options`` are those of SSI."""
    beads = simulate.sample("beads_3d")
    physics = Blur(beads.psf, beads.measured.shape)
    lucy = RichardsonLucy(physics, RichardsonLucyOptions(iterations=20, background=beads.offset))
    chosen = SSIOptions(steps=steps, background=beads.offset, **options)
    ssi = SSI(physics, chosen, voxel_size=beads.scale)
    ssi.fit(beads.measured)
    images = {
        "measured": beads.measured - beads.offset,
        "Lucy-Richardson": lucy.reconstruct(beads.measured) - beads.offset,
        "SSI": ssi.reconstruct(beads.measured) - beads.offset,
    }
    print(metrics.table(beads.truth, images, data_range=float(beads.truth.max())))
    return images


def show(images: dict[str, Any]) -> Any:
    """Show volumes side by side in 3D; returns the viewer."""
    import napari

    from napari_selfsup_recon.viewer import compare

    viewer = napari.Viewer(title="Beads in 3D", ndisplay=3)
    layers = [
        viewer.add_image(volume, name=name, scale=(0.2, 0.1, 0.1))
        for name, volume in images.items()
    ]
    compare(viewer, layers, link=False)
    return viewer


if __name__ == "__main__":
    results = main(int(os.environ.get("STEPS", 200)))
    if os.name == "nt" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        import napari

        show(results)
        napari.run()
