"""What every control is called and what it tells about itself: (name, tooltip)."""

from __future__ import annotations

from napari_selfsup_recon.widgets._result_texts import RESULT_TEXTS

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
    "level": (
        "Level",
        "Which resolution of the image is worked on, with its size in memory. Coarse levels are "
        "quick and show less; the result lies where the image does.",
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
    "reconstruct": (
        "Reconstruct",
        "Makes the image from projections (CT), from k-space (MRI), or from some of its pixels.",
    ),
    "instrument": ("Instrument", "What measured, and so how the image is to be made."),
    "angles": (
        "Angle file",
        "Text, CSV, tilt or NumPy file with one angle a view. Without one, the angles that the "
        "layer carries are taken, or the range is spread evenly over the views.",
    ),
    "angles browse": ("Choose an angle file", "Opens a file dialog."),
    "flat": ("Flat field", "Layer of projections without the object: what the light looks like."),
    "dark": ("Dark field", "Layer of projections without light."),
    "air": (
        "Air columns",
        "Columns of the detector that see no object in any view, where there is no flat field.",
    ),
    "mask": (
        "Mask",
        "Layer that is other than 0 where something was measured. Without it, a pixel is missing "
        "where it is NaN or has the value below.",
    ),
    "axis": (
        "Rotation axis",
        "Column of the detector onto which the rotation axis falls, counted from 0.",
    ),
    "axis slider": (
        "Move the rotation axis",
        "Moves the axis; with a slice shown, edges are doubled as long as it is wrong.",
    ),
    "axis find": ("Find the axis", "Takes the axis that the projections themselves show."),
    "axis look": (
        "Show a slice",
        "Shows the middle slice as a layer that follows the axis while it is moved.",
    ),
    "wedge": (
        "Directions",
        "One line a view. Red: directions that no view covers (the missing wedge); edges along "
        "them cannot be seen.",
    ),
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
    "psf make": (
        "Make a PSF",
        "Opens the dock that makes PSF layers: from theory, from beads, or from a file.",
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
    "psf ways": ("Ways to a PSF", "Computed from theory, measured on beads, or recorded before."),
    "psf for": (
        "For image",
        "The image that shall be sharpened: the PSF gets the voxels of this layer.",
    ),
    "psf compute": (
        "Compute",
        "Computes the PSF and adds it as a layer that the other dock finds.",
    ),
    "beads image": (
        "Beads",
        "Volume or image of beads, much smaller than what the microscope resolves, on a dark "
        "ground.",
    ),
    "beads points": (
        "Points",
        "Where the beads are: points that you set, moved to the nearest bright spot; or found by "
        "themselves.",
    ),
    "beads find": (
        "Find beads",
        "Shows the beads as points, with those that cannot be used and why. Points may be removed, "
        "moved and added before averaging.",
    ),
    "beads average": (
        "Average",
        "Aligns the beads to fractions of a voxel and adds their mean as a PSF layer.",
    ),
    "psf open": ("Open a PSF file", "Opens a TIFF or NumPy file as a PSF layer."),
    "psf look": ("Look at the PSF", "Shows what would be repaired, and adds nothing."),
    "psf add": ("Make a PSF layer", "Adds the prepared PSF as a layer of its own."),
    "psf cancel": ("Cancel", "Ends what is under way; nothing is added."),
    "thumbnail": ("PSF", "The PSF as it is used."),
    "method": ("Method", "How the image is restored."),
    "baseline": (
        "Also run the baseline",
        "A classical method first: an image in seconds, to compare the learned one with.",
    ),
    "trust": (
        "Also show what to trust",
        "Adds hidden layers after learning: what the measurement determines and what was inferred, "
        "the residual, and how sure the method is.",
    ),
    "times": (
        "How long here?",
        "Runs a few steps of every method that can be chosen, some seconds each, and says beside "
        "its name how long it would take on this machine with these settings. A run ends it.",
    ),
    "meter": (
        "What can be learned?",
        "Says before the run which share of the image the instrument and the symmetry that the "
        "method builds on can show at all. Takes up to 20 seconds.",
    ),
    "clean": (
        "Clean examples",
        "Layer of clean images of the same kind: another sample, another stack. They need not "
        "match the noisy image pixel by pixel.",
    ),
    "clean path": (
        "File or folder of clean examples",
        "Clean images on disk instead of a layer: a file, or a folder of images of one size.",
    ),
    "clean forget": (
        "Take none from disk",
        "Clears the path: the layer, or the image, counts again.",
    ),
    "clean browse": ("Choose a file or folder", "Opens a file dialog."),
    "clean slices": (
        "Clean slices",
        "First and last slice (not included) of this image that are clean, for example 0:25.",
    ),
    "clean first": (
        "First clean slice",
        "Takes the slice that the slider shows as the first clean one.",
    ),
    "clean last": (
        "Last clean slice",
        "Takes the slice that the slider shows as the last clean one.",
    ),
    "clean kind": (
        "Made from",
        "Slices that are clean already. Or, where none are: averages of neighbouring slices or "
        "frames (what differs between them is blurred and may be lost, what noise they share "
        "stays), or a copy denoised by masked self-supervision (noise that neighbouring pixels "
        "share stays).",
    ),
    "clean average": (
        "Averaged",
        "How many neighbouring slices or frames make one clean example. More leave less noise and "
        "more blur.",
    ),
    "rival": ("Baseline", "The classical method that runs first."),
    "device": (
        "Device",
        "Where to compute, and how much memory is free there. auto takes the GPU with most of it, "
        "else the CPU. GPUs are looked for when the list is opened.",
    ),
    "place": (
        "Place of the result",
        "In memory, or frame by frame as OME-Zarr in a folder, for what is larger than the memory.",
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
    **RESULT_TEXTS,
}
