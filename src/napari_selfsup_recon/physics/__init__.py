"""Floor 1: what the instrument did. Operators, noise and point spread functions."""

from napari_selfsup_recon.core.lazy import attach

__getattr__, __dir__ = attach(
    __name__,
    {
        "Physics": ".base",
        "as_physics": ".base",
        "Identity": ".identity",
        "Blur": ".blur",
        "ParallelBeam": ".parallel_beam",
        "FanBeam": ".fan_beam",
        "Transmission": ".transmission",
        "Inpainting": ".inpainting",
        "MRI": ".mri",
        "as_channels": ".mri",
        "as_complex": ".mri",
        "CompressedSensing": ".compressed_sensing",
        "seen_part": ".seen",
        "inferred_part": ".seen",
        "Projection": ".projection",
        "range_project": ".projection",
        "null_project": ".projection",
        "Gaussian": ".noise",
        "Poisson": ".noise",
        "PoissonGaussian": ".noise",
        "Noise": ".noise",
        "psf": ".psf",
        "checks": ".checks",
        "from_recipe": ".recipe",
        "Recipe": ".recipe",
    },
)
