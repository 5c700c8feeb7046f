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
        "FilteredBackProjection": ".filtered_back_projection.method",
        "FilteredBackProjectionOptions": ".filtered_back_projection.options",
        "LeastSquares": ".least_squares.method",
        "LeastSquaresOptions": ".least_squares.options",
        "Wiener": ".wiener.method",
        "WienerOptions": ".wiener.options",
        "EI": ".ei.method",
        "EIOptions": ".ei.options",
        "ISCL": ".iscl.method",
        "ISCLOptions": ".iscl.options",
        "REI": ".rei.method",
        "REIOptions": ".rei.options",
        "SIAM": ".siam.method",
        "SIAMOptions": ".siam.options",
        "Supervised": ".supervised.method",
        "SupervisedOptions": ".supervised.options",
        "SSI": ".ssi.method",
        "SSIOptions": ".ssi.options",
    },
)
