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
    "thumbnail": ("PSF", "The PSF as it is used: seen from above (xy) and from the side (xz)."),
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
    "curtain": (
        "Curtain",
        "Shows the first layer left of a line and the last one right of it; drag the line, or "
        "press Ctrl+Alt+Left and Ctrl+Alt+Right.",
    ),
    "curtain slider": ("Line of the curtain", "Moves the line; left of it is the first layer."),
    "blink": (
        "Blink",
        "Shows one layer after another in the same place. The key \\ shows the first one as long "
        "as it is held.",
    ),
    "link": (
        "Same contrast",
        "Contrast, gamma and colours of the compared layers change together, beginning with those "
        "of the first. Their own contrast comes back when this is switched off.",
    ),
    "compare more": (
        "Profiles and numbers",
        "Opens the dock that compares any layers: differences, line profiles, widths, scores.",
    ),
    "script": (
        "As Python",
        "What is chosen here as a script or notebook that needs no window. With the same seed it "
        "gives the same values on the CPU (Ctrl+Alt+K copies it).",
    ),
    "difference": (
        "Difference",
        "Adds a layer with the last image less the first. Green: brighter than before; pink: "
        "darker.",
    ),
    "draw line": (
        "Draw a line",
        "Adds a layer on which to draw a line; the grey values of all compared images along it are "
        "shown below, and the widths of their highest peaks.",
    ),
    "profile": (
        "Line profile",
        "Grey values of the compared images along the line, from its first end.",
    ),
    "reference": (
        "Reference",
        "The true image, or the best there is. With it PSNR, SSIM and NRMSE are measured, after "
        "the straight line that fits the grey values best.",
    ),
    "measure": ("Measure", "Measures the compared images; large ones in their middle."),
    "runs": (
        "Runs of this viewer",
        "What was made here, the latest first, with its held-out score (lower is better), steps "
        "and time. The networks of the last 20 runs lie in memory, and of the last 3 what training "
        "goes on from, several times as much; Forget frees both. Save models that matter.",
    ),
    "save model": (
        "Save the model",
        "Writes the trained network of the chosen run with its physics, options, scores and "
        "history to an .nsr file.",
    ),
    "help": ("Help", "Opens the page of the documentation that tells of this dock."),
    "help page": ("Help page", "A page of the documentation of this version."),
    "help back": ("Back", "Returns to the page before."),
    "save run": (
        "Save the run",
        "Writes a folder with the result, what belongs to it, the trained network, the options "
        "and the history. What it was made from is copied, unless it is a file, which is named.",
    ),
    "open run": (
        "Open a saved run",
        "Brings back the layers of a folder that Save run made, and lists the run with its model.",
    ),
    "save curves": (
        "Save the curves as CSV",
        "Writes training loss and held-out score as a table, a line a step: frame, attempt, step, "
        "seconds, loss, score.",
    ),
    "export zoo": (
        "Export for the BioImage Model Zoo",
        "Writes the network of the chosen run as a checked package: TorchScript, test images, a "
        "picture and a description. SSI of images, or without blur, and ISCL of single slices fit; "
        "the others need more than a network.",
    ),
    "load model": (
        "Load a model",
        "Adds a trained network from an .nsr file to the list, to apply it here.",
    ),
    "forget run": (
        "Forget the run",
        "Takes the chosen run off the list and frees its network. Its layer stays.",
    ),
    "apply to": (
        "Layer",
        "Images of this viewer that the model of the chosen run fits: same axes, same voxel size "
        "where it sharpens, same shape where it reconstructs.",
    ),
    "apply": (
        "Apply to the layer",
        "Reconstructs the layer with the network of the chosen run; nothing is learned. It serves "
        "images of the same kind, noise and brightness. The result is a new layer.",
    ),
    "more steps": (
        "More steps",
        "How many steps to add. The learning rate is that of a run that was planned as long from "
        "the start; the best network counts, so it does not get worse.",
    ),
    "train on": (
        "Train on",
        "Goes on where the training of the chosen run ended, with the same data. The result is a "
        "new layer and a new run. The last 3 runs can be trained on.",
    ),
    "undo result": (
        "Undo the last result",
        "Takes away the layers of the last run, no others. They can be brought back until another "
        "run is done; until then they lie in memory.",
    ),
    "redo result": ("Bring the result back", "Brings back the layers that were undone last."),
    "scores": (
        "Scores",
        "Sum: of the grey values, over that of the first image. Below 0: share of negative values. "
        "Misfit: root mean square of what the image does not explain of the measurement. "
        "Structure: correlation of neighbours in that residual, 0 if it is noise.",
    ),
    "batch files": (
        "Files",
        "What is worked through, and where each stands. A click tells what went wrong and the way "
        "out; a double click or Return opens a result as a layer; Delete removes rows.",
    ),
    "batch each": (
        "A row for",
        "Whether files become rows as they are, or each of their scenes, times or channels does.",
    ),
    "batch pattern": (
        "Pattern",
        "Which files of a folder are added, for example cells_*.tif; **/*.tif looks below it, too. "
        "Results of earlier batches are left out.",
    ),
    "batch add": ("Add files", "Adds images to the table: TIFF, OME-TIFF, NumPy, PNG."),
    "batch add folder": (
        "Add folder",
        "Adds the images of a folder whose names are like the pattern, or a .zarr folder.",
    ),
    "batch remove": ("Remove", "Takes the selected rows out of the table; files stay."),
    "batch clear": ("Clear", "Takes all rows out of the table; files stay."),
    "batch run": (
        "Run",
        "What is done with every file: what is chosen in the main dock for its image, or a run in "
        "a file, as the command line takes it. Whole files are worked on.",
    ),
    "batch toml": ("Run in a file", "A run.toml: saved here, or printed by --dump-config."),
    "batch save": (
        "Save run.toml",
        "Saves what the main dock says, for the command line: napari-selfsup-recon batch run.toml "
        "files.",
    ),
    "batch folder": (
        "Folder for results",
        "Where results go; it is made if it is missing. Empty: each beside its file.",
    ),
    "batch format": ("Format", "Of the results; axes, voxel size and provenance are kept."),
    "batch overwrite": (
        "Make results anew that exist",
        "Replaces results that are there. Otherwise they are left as they are, and a batch that "
        "was ended goes on where it was.",
    ),
    "batch start": (
        "Run the batch",
        "Works through the rows in the background. One that fails stops no other, and is tried "
        "again with the next Run.",
    ),
    "batch stop": ("Stop after this file", "Ends when the file that is under way is done."),
    "batch leave": (
        "Stop now",
        "Ends at once; the file that is under way gives no result and waits again.",
    ),
}
