"""As ``texts``, of what comes after a run: comparing, runs that are kept, batches."""

from __future__ import annotations

RESULT_TEXTS: dict[str, tuple[str, str]] = {
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
        "the straight line that fits the grey values best, and the finest detail that agrees with "
        "it (Fourier correlation).",
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
        "Structure: correlation of neighbours in that residual, 0 if it is noise. "
        "Resolution: finest detail that agrees with the reference (Fourier ring or shell "
        "correlation of 0.5); without one, of raw images alone, what the noise leaves.",
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
