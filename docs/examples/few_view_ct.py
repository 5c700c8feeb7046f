"""CT with few views: slices from 20 projections, by filtered back-projection and by EI.

``python docs/examples/few_view_ct.py`` prints the errors, and opens a window if there is a display;
``STEPS=50`` in front of it trains for less.
"""

import os
from typing import Any

import numpy as np

from napari_selfsup_recon import EI, EIOptions, FilteredBackProjection, ParallelBeam
from napari_selfsup_recon.simulate.phantoms import ellipsoid_scan


def main(steps: int = 200, *, size: int = 64, **options: Any) -> dict[str, Any]:
    """Return the stacks of slices by name; how far they are from the truth is printed.

    ``options`` are those of EI, for example ``width=16``.
    """
    scan = ellipsoid_scan(20, size=size)
    physics = ParallelBeam(
        (size, size),
        np.deg2rad(scan.degrees),
        detectors=size,
        axis_offset=scan.axis - (size - 1) / 2,
    )
    ei = EI(physics, EIOptions(steps=steps, **{"width": 8, "batch": 2, **options}))
    ei.fit(scan.sinograms)  # learned from these sinograms alone
    classic = FilteredBackProjection(physics)
    images = {
        "truth": scan.truth,
        "filtered back-projection": np.stack([classic.reconstruct(y) for y in scan.sinograms]),
        "EI": np.stack([ei.reconstruct(y) for y in scan.sinograms]),
    }
    for name, stack in images.items():
        error = np.sqrt(np.mean((stack - images["truth"]) ** 2))
        print(f"{name:25} {error / images['truth'].std():.3f} (error over contrast)")
    return images


def show(images: dict[str, Any]) -> Any:
    """Show the stacks side by side, with the same grey values; returns the viewer."""
    import napari

    from napari_selfsup_recon.viewer import compare

    viewer = napari.Viewer(title="CT with few views")
    limits = (0, float(images["truth"].max()))
    layers = [viewer.add_image(x, name=name, contrast_limits=limits) for name, x in images.items()]
    compare(viewer, layers)
    return viewer


if __name__ == "__main__":
    results = main(int(os.environ.get("STEPS", 200)))
    if os.name == "nt" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        import napari

        show(results)
        napari.run()
