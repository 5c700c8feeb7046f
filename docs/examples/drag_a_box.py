"""A box to drag: what is inside is sharpened at once, with a few lines of napari.

``python docs/examples/drag_a_box.py`` opens a window: drag the box or its corners.
"""

from typing import Any

import napari
import numpy as np

from napari_selfsup_recon import Blur, RichardsonLucy, RichardsonLucyOptions, simulate


def main() -> Any:
    """Open an image with a box that is sharp inside; returns the viewer."""
    cells = simulate.sample("cells_2d")
    image = cells.measured
    options = RichardsonLucyOptions(iterations=20, background=cells.offset, repair=False)
    viewer = napari.Viewer(title="Drag the box")
    limits = (float(image.min()), float(image.max()))
    viewer.add_image(image, name="measured", contrast_limits=limits)
    sharp = viewer.add_image(np.zeros((1, 1)), name="inside the box", contrast_limits=limits)
    corners = np.array([[30, 30], [90, 90]])
    box = viewer.add_shapes(
        [corners], name="box", face_color="transparent", edge_color="yellow", edge_width=2
    )

    def follow(event: Any = None) -> None:
        """Sharpen what is inside the box."""
        low = np.clip(box.data[0].min(0).round().astype(int), 0, np.array(image.shape) - 16)
        high = np.clip(box.data[0].max(0).round().astype(int), low + 16, image.shape)
        part = image[low[0] : high[0], low[1] : high[1]]
        sharp.data = RichardsonLucy(Blur(cells.psf, part.shape), options).reconstruct(part)
        sharp.translate = low

    box.events.set_data.connect(follow)
    follow()
    box.mode, box.selected_data = "select", {0}
    viewer.layers.selection.active = box
    return viewer


if __name__ == "__main__":
    main()
    napari.run()
