"""Floor 2: one function over arrays of any kind and size."""

from napari_selfsup_recon.core.lazy import attach

__getattr__, __dir__ = attach(
    __name__, {"map_items": ".arrays", "Tile": ".tiles", "tiled": ".tiles"}
)
