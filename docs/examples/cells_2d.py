"""Cells in 2D: a blurred image sharpened in the viewer, while you watch.

``python docs/examples/cells_2d.py`` opens a window; ``STEPS=100`` in front of it trains for less.
"""

import os
from typing import Any

import napari

from napari_selfsup_recon import simulate
from napari_selfsup_recon.viewer import compare, deconvolve


def main(steps: int = 400, **options: Any) -> Any:
    """Sharpen a generated image in a new viewer, and compare the results.

    ``options`` are those of SSI, for example ``width=24``. Returns the viewer.
    """
    cells = simulate.sample("cells_2d")
    viewer = napari.Viewer(title="Cells in 2D")
    layer = viewer.add_image(cells.measured, name="cells", scale=cells.scale, units=cells.units)
    chosen = {"steps": steps, "background": cells.offset, **options}
    classic = {"iterations": 20, "background": cells.offset}
    results = deconvolve(viewer, layer, cells.psf, options=chosen, baseline_options=classic)
    compare(viewer, [layer, *results], link=False)
    return viewer


if __name__ == "__main__":
    main(int(os.environ.get("STEPS", 400)))
    napari.run()
