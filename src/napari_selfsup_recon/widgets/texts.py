"""What every control is called and what it tells about itself: (name, tooltip)."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "image": (
        "Image",
        "The blurred or noisy grey-scale image. It is never changed; results are new layers.",
    ),
    "axes": (
        "Axes",
        "How the dimensions are read. z, y, x are restored together; times (t) and channels (c) "
        "one by one.",
    ),
    "voxel": (
        "Voxel size",
        "Size of one voxel. Widths of the PSF are given in this unit, and scale bars use it.",
    ),
    "edit voxel": ("Edit the voxel size", "Correct the voxel size, or enter it if it is unknown."),
    "unit": ("Unit of the voxel size", "Unit of length of the voxel size, usually micrometer."),
    "set voxel": (
        "Set the voxel size",
        "Writes this voxel size to the image layer; the pixels stay as they are.",
    ),
    "sharpen": (
        "Sharpen",
        "Removes the blur of the instrument, and noise with it (deconvolution). Needs a PSF.",
    ),
    "denoise": ("Denoise", "Removes noise only. Needs nothing but the image."),
    "part": (
        "Part of the image",
        "What is worked on. Try a box or the slice shown first: it is much quicker.",
    ),
    "psf kind": (
        "Source of the PSF",
        "The point spread function (PSF) is the image of a single point: it says how the "
        "instrument blurs.",
    ),
    "psf layer": (
        "PSF layer",
        "Layer that holds the PSF, for example the image of a small bead. It is centred, cleaned "
        "and cropped; the layer itself is not changed.",
    ),
    "psf path": ("PSF file", "TIFF, NumPy or zarr file that holds the PSF."),
    "psf browse": ("Choose a PSF file", "Opens a file dialog."),
    "lateral": (
        "Width in y and x",
        "Full width at half maximum of the PSF within a slice. About 0.5 × wavelength / NA: "
        "0.2 to 0.4 µm for light microscopes.",
    ),
    "axial": (
        "Width in z",
        "Full width at half maximum of the PSF across slices. Usually 2 to 4 times that within "
        "a slice.",
    ),
    "noise": (
        "Noise",
        "How noisy the image is: estimated from it, and yours to correct. Methods that need it, "
        "for example to choose their own strength, use these numbers.",
    ),
    "noise reset": (
        "Use the estimates",
        "Takes back all corrections: the numbers are estimated from the image again.",
    ),
    "thumbnail": ("PSF", "The PSF as it is used: seen from above (xy) and from the side (xz)."),
    "method": ("Method", "How the image is restored."),
    "baseline": (
        "Also run the baseline",
        "A classical method first: an image in seconds, to compare the learned one with.",
    ),
    "rival": ("Baseline", "The classical method that runs first."),
    "device": (
        "Device",
        "Where to compute. auto takes the GPU with the most free memory, else the CPU.",
    ),
    "preview": (
        "Preview",
        "Tries it on a small part around the centre of the view, with few steps "
        "(Ctrl+Shift+Return).",
    ),
    "run": ("Run", "Starts on the chosen part. Results are new layers (Ctrl+Return)."),
    "progress": ("Progress", "Share of the work that is done."),
    "pause": ("Pause", "Holds the work at the next step; Resume goes on from there."),
    "resume": ("Resume", "Goes on where it was paused."),
    "stop": (
        "Stop and keep",
        "Stops learning and makes the result from the best step so far (Ctrl+.).",
    ),
    "discard": (
        "Discard",
        "Ends the work without its result. Layers that are made already stay.",
    ),
    "curves": (
        "Curves",
        "Training loss and held-out score over the steps, on a logarithmic scale. The held-out "
        "score (lower is better) is measured on pixels that are never trained on.",
    ),
    "grid": (
        "Grid",
        "Shows source and results side by side, with their names, moved and turned together "
        "(Ctrl+Alt+G).",
    ),
    "link": (
        "Same contrast",
        "Contrast, gamma and colours of the compared layers change together.",
    ),
}
