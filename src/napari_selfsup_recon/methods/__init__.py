"""Floor 3: one folder a method, and the registry that names them."""

from napari_selfsup_recon.core.lazy import attach

__getattr__, __dir__ = attach(
    __name__,
    {
        "METHODS": ".registry",
        "Method": ".base",
        "ClassicalMethod": ".base",
        "LearnedMethod": ".base",
        "RichardsonLucy": ".richardson_lucy.method",
        "RichardsonLucyOptions": ".richardson_lucy.options",
        "TotalVariation": ".total_variation.method",
        "TotalVariationOptions": ".total_variation.options",
        "Wiener": ".wiener.method",
        "WienerOptions": ".wiener.options",
        "SSI": ".ssi.method",
        "SSIOptions": ".ssi.options",
    },
)
