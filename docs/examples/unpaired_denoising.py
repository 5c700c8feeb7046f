"""Denoising with clean examples that need not match: what a film adds, and how ISCL takes it off.

``python docs/examples/unpaired_denoising.py`` prints the scores, and opens a window if there is a
display; ``STEPS=50`` in front of it trains for less.
"""

import os
from typing import Any

import numpy as np

from napari_selfsup_recon import ISCL, Identity, ISCLOptions, TotalVariation, metrics
from napari_selfsup_recon.simulate import cells_2d, film_noise


def main(steps: int = 200, *, side: int = 192, places: int = 24, **options: Any) -> dict[str, Any]:
    """Return the images by name; their scores are printed. ``options`` are those of ISCL."""
    truth = 20 + 180 * cells_2d((side, side))
    noisy = film_noise(truth, strength=0.6, grain=2.5, speckle=0.2)
    clean = np.stack([20 + 180 * cells_2d((64, 64), 1 + n) for n in range(places)])  # elsewhere
    physics = Identity(noisy.shape)
    iscl = ISCL(physics, ISCLOptions(steps=steps, **{"crop": 48, "ensemble": False, **options}))
    iscl.fit(noisy, clean=clean)
    images = {
        "noisy": noisy,
        "total variation": TotalVariation(physics).reconstruct(noisy),
        "ISCL": iscl.reconstruct(noisy),
    }
    print(metrics.table(truth, images, data_range=float(np.ptp(truth))))
    return {"truth": truth, **images, "noise taken out": noisy - images["ISCL"]}


def show(images: dict[str, Any]) -> Any:
    """Show the images side by side; returns the viewer."""
    import napari

    from napari_selfsup_recon.viewer import compare

    viewer = napari.Viewer(title="Clean examples of other places")
    layers = [viewer.add_image(image, name=name) for name, image in images.items()]
    compare(viewer, layers, link=False)
    return viewer


if __name__ == "__main__":
    results = main(int(os.environ.get("STEPS", 200)))
    if os.name == "nt" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        import napari

        show(results)
        napari.run()
