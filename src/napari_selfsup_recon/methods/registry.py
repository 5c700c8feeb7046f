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
        Entry(
            key="total-variation",
            label="Total variation",
            summary="Sharp edges and even surfaces, in seconds to minutes; finds its own strength.",
            needs="A PSF to sharpen; nothing to denoise.",
            tasks=("deconvolve", "denoise"),
            learned=False,
            method=f"{_HERE}.total_variation.method:TotalVariation",
            options=f"{_HERE}.total_variation.options:TotalVariationOptions",
        ),
        Entry(
            key="wiener",
            label="Wiener filter",
            summary="The fastest, at once; linear, so that noise and ringing stay in.",
            needs="A PSF.",
            tasks=("deconvolve",),
            learned=False,
            method=f"{_HERE}.wiener.method:Wiener",
            options=f"{_HERE}.wiener.options:WienerOptions",
        ),
    )
)
