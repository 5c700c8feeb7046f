"""Floor 2: networks, 2D and 3D."""

from napari_selfsup_recon.core.lazy import attach

__getattr__, __dir__ = attach(__name__, {"UNet": ".unet", "pooling_factors": ".unet"})
