"""Self-supervised reconstruction for microscopy and CT, in napari and in scripts.

Names are imported on first use: importing the package loads no torch, no Qt and no napari.
"""

import os

from napari_selfsup_recon.core.lazy import attach

# Threads that wait for each other should sleep, not spin: on a machine with other work to do, the
# window's own included, spinning makes training up to ten times slower. OpenMP reads this when
# torch is loaded; whoever sets it beforehand is obeyed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"

_NAMES = {
    "Physics": ".physics.base",
    "as_physics": ".physics.base",
    "Identity": ".physics.identity",
    "Blur": ".physics.blur",
    "ParallelBeam": ".physics.parallel_beam",
    "FanBeam": ".physics.fan_beam",
    "Transmission": ".physics.transmission",
    "Inpainting": ".physics.inpainting",
    "MRI": ".physics.mri",
    "as_channels": ".physics.mri",
    "as_complex": ".physics.mri",
    "CompressedSensing": ".physics.compressed_sensing",
    "seen_part": ".physics.seen",
    "inferred_part": ".physics.seen",
    "Projection": ".physics.projection",
    "range_project": ".physics.projection",
    "null_project": ".physics.projection",
    "Gaussian": ".physics.noise",
    "Poisson": ".physics.noise",
    "PoissonGaussian": ".physics.noise",
    "RichardsonLucy": ".methods.richardson_lucy.method",
    "RichardsonLucyOptions": ".methods.richardson_lucy.options",
    "TotalVariation": ".methods.total_variation.method",
    "TotalVariationOptions": ".methods.total_variation.options",
    "FilteredBackProjection": ".methods.filtered_back_projection.method",
    "FilteredBackProjectionOptions": ".methods.filtered_back_projection.options",
    "LeastSquares": ".methods.least_squares.method",
    "LeastSquaresOptions": ".methods.least_squares.options",
    "Wiener": ".methods.wiener.method",
    "WienerOptions": ".methods.wiener.options",
    "ISCL": ".methods.iscl.method",
    "ISCLOptions": ".methods.iscl.options",
    "EI": ".methods.ei.method",
    "EIOptions": ".methods.ei.options",
    "REI": ".methods.rei.method",
    "REIOptions": ".methods.rei.options",
    "SIAM": ".methods.siam.method",
    "SIAMOptions": ".methods.siam.options",
    "Supervised": ".methods.supervised.method",
    "SupervisedOptions": ".methods.supervised.options",
    "SSI": ".methods.ssi.method",
    "SSIOptions": ".methods.ssi.options",
    "Measurement": ".core.measurement",
    "load": ".io.models",
    "metrics": ".metrics",
    "psf": ".physics.psf",
    "transforms": ".transforms",
}

__all__ = ["__version__", *_NAMES]

__getattr__, __dir__ = attach(__name__, _NAMES)
