"""Floor 2: group actions on images and volumes, and what a group lets one see."""

from napari_selfsup_recon.core.lazy import attach

__getattr__, __dir__ = attach(
    __name__,
    {
        "Action": ".base",
        "Transform": ".base",
        "Identity": ".base",
        "Shift": ".shift",
        "Roll": ".shift",
        "Reflect": ".reflect",
        "Flip": ".reflect",
        "Rotate": ".rotate",
        "Scale": ".scale",
        "Affine": ".affine",
        "from_name": ".names",
        "NAMES": ".names",
        "identifiability": ".identifiability",
        "Identifiability": ".identifiability",
    },
)
