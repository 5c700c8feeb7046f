"""The methods. A new one is a folder beside this file and an entry here."""

from napari_selfsup_recon.core.registry import Entry, Registry

_HERE = "napari_selfsup_recon.methods"

METHODS = Registry(
    (
        Entry(
            key="ssi",
            label="Self-supervised (SSI)",
            summary="Sharp and quiet from this one image: a network learns from the measurement.",
            needs="A PSF to sharpen; nothing to denoise.",
            tasks=("deconvolve", "denoise"),
            learned=True,
            method=f"{_HERE}.ssi.method:SSI",
            options=f"{_HERE}.ssi.options:SSIOptions",
        ),
        Entry(
            key="richardson-lucy",
            label="Lucy-Richardson",
            summary="The classic, in seconds; noise grows with the iterations.",
            needs="A PSF.",
            tasks=("deconvolve",),
            learned=False,
            method=f"{_HERE}.richardson_lucy.method:RichardsonLucy",
            options=f"{_HERE}.richardson_lucy.options:RichardsonLucyOptions",
        ),
    )
)
