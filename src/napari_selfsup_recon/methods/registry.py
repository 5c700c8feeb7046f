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
            key="iscl",
            label="With clean examples (ISCL)",
            summary="Takes out noise with structure (film, charging, streaks), which is learned "
            "from clean images of the same kind.",
            needs="Clean examples, which need not match: other images, or slices of the stack.",
            tasks=("denoise",),
            learned=True,
            method=f"{_HERE}.iscl.method:ISCL",
            options=f"{_HERE}.iscl.options:ISCLOptions",
            clean=True,
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
            needs="A PSF to sharpen, an instrument to reconstruct; nothing to denoise.",
            tasks=("deconvolve", "denoise", "reconstruct"),
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
        Entry(
            key="filtered-back-projection",
            label="Filtered back-projection",
            summary="The classic of tomography, at once; few views leave streaks.",
            needs="Projections and their angles.",
            tasks=("reconstruct",),
            learned=False,
            method=f"{_HERE}.filtered_back_projection.method:FilteredBackProjection",
            options=f"{_HERE}.filtered_back_projection.options:FilteredBackProjectionOptions",
        ),
        Entry(
            key="least-squares",
            label="Least squares",
            summary="Explains what was measured and nothing more, in seconds; stops by itself.",
            needs="Any instrument: projections, a mask, k-space.",
            tasks=("reconstruct",),
            learned=False,
            method=f"{_HERE}.least_squares.method:LeastSquares",
            options=f"{_HERE}.least_squares.options:LeastSquaresOptions",
        ),
        Entry(
            key="ei",
            label="Equivariant imaging (EI)",
            summary="Fills in what was never measured, by learning from the measurements alone.",
            needs="Too few, but quiet measurements of objects that could have lain another way.",
            tasks=("reconstruct",),
            learned=True,
            method=f"{_HERE}.ei.method:EI",
            options=f"{_HERE}.ei.options:EIOptions",
        ),
        Entry(
            key="rei",
            label="Robust equivariant imaging (REI)",
            summary="As EI, and takes the noise away: for measurements that are few and noisy.",
            needs="As EI; the noise is given or, for sinograms, estimated.",
            tasks=("reconstruct",),
            learned=True,
            method=f"{_HERE}.rei.method:REI",
            options=f"{_HERE}.rei.options:REIOptions",
        ),
        Entry(
            key="siam",
            label="Siamese cooperative learning (SIAM)",
            summary="Two twins teach each other what was never measured, from measurements alone.",
            needs="Many incomplete measurements, best with another mask each; the noise where it "
            "is known.",
            tasks=("reconstruct",),
            learned=True,
            method=f"{_HERE}.siam.method:SIAM",
            options=f"{_HERE}.siam.options:SIAMOptions",
        ),
        # No task: benchmarks and saved models find it, windows do not offer it.
        Entry(
            key="supervised",
            label="Supervised",
            summary="What clean images would have taught: the mark that the others are held to.",
            needs="The clean image of every measurement.",
            tasks=(),
            learned=True,
            method=f"{_HERE}.supervised.method:Supervised",
            options=f"{_HERE}.supervised.options:SupervisedOptions",
        ),
    )
)
