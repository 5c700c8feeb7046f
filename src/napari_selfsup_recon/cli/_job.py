"""The commands that restore an image."""

from __future__ import annotations

import argparse
from contextlib import closing
from math import prod
from pathlib import Path
from typing import Any, cast

from napari_selfsup_recon.cli._choice import Choice
from napari_selfsup_recon.cli._fields import canonical, given_facts, given_options, read_typed
from napari_selfsup_recon.cli._files import Outputs, save_models
from napari_selfsup_recon.cli._progress import Progress, interruptible
from napari_selfsup_recon.cli._values import numbers, region
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io.curves import write_curves
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs.clean import CleanChoice
from napari_selfsup_recon.runs.config import NoiseChoice, PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.frames import frames
from napari_selfsup_recon.runs.history import History
from napari_selfsup_recon.runs.instruments import SCANS, Sampling, Tomograph
from napari_selfsup_recon.runs.microscope import read_microscope
from napari_selfsup_recon.runs.plan import RunPlan, resolve
from napari_selfsup_recon.runs.reading import Reading, read_source
from napari_selfsup_recon.runs.result import Result, companion_names
from napari_selfsup_recon.runs.words import validate


def run(arguments: argparse.Namespace) -> int:
    """Run ``deconvolve``, ``denoise`` or ``reconstruct``; return the exit code."""
    measurement = _read(arguments) if arguments.input else None
    config = _configure(arguments, measurement)
    if arguments.time or arguments.channel:
        if measurement is None:
            raise InputError("--time and --channel need an image.", hint="Name the input file.")
        config = config.model_copy(
            update={"frames": frames(measurement, arguments.time, arguments.channel)}
        )
    if arguments.dump_config:
        print(config.to_toml(), end="")
        return 0
    if measurement is None:
        raise InputError("There is no input image.", hint="Name the file to work on.")
    outputs = _outputs(arguments, config)
    plan = resolve(config, measurement)
    if plan.problem is None:  # of a scan all slices share one model
        outputs.check_models(prod(plan.measurement.leading_shape))
    return _execute(plan, outputs, arguments)


def _configure(arguments: argparse.Namespace, measurement: Measurement | None) -> RunConfig:
    """Return the run that the configuration file, the flags and ``--set`` describe."""
    choice: Choice = arguments.choice
    config = choice.config
    update: dict[str, Any] = {}
    for key, options, prefix in (
        (config.method, "options", ""),
        (config.baseline, "baseline_options", "baseline"),
    ):
        if key is not None:
            entry = METHODS.find(key)
            given = {**getattr(config, options), **given_options(arguments, entry, prefix)}
            update[options] = canonical(entry, given)
    if arguments.level is not None:
        update["level"] = arguments.level
    if arguments.region:
        update["region"] = region(arguments.region)
    if noise := given_facts(arguments, "noise"):
        known = {} if config.noise is None else config.noise.model_dump(exclude_none=True)
        update["noise"] = read_typed(NoiseChoice, known | noise, where="noise")
    return config.model_copy(update=update | _physics(arguments, config, measurement))


def _physics(
    arguments: argparse.Namespace, config: RunConfig, measurement: Measurement | None
) -> dict[str, Any]:
    if config.task == "denoise":
        return _clean(arguments)
    if config.task == "reconstruct":
        trust = {"trust": True} if arguments.trust else {}
        return {"physics": _instrument(arguments, config), **trust}
    update: dict[str, Any] = {}
    if arguments.psf:
        files = tuple(arguments.psf)
        update |= {"psf": "file", "path": files if len(files) > 1 else files[0]}
        update |= {"fwhm": None, "wavelengths": None}
    if arguments.gaussian_fwhm:
        widths = numbers(arguments.gaussian_fwhm, "--gaussian-fwhm")
        update |= {"psf": "gaussian", "path": None, "fwhm": widths}
    given = given_facts(arguments, "microscope")
    if given or arguments.wavelengths:
        if arguments.psf or arguments.gaussian_fwhm:
            raise InputError(
                "The PSF is given twice: computed from theory, and otherwise.",
                hint="Give the flags of the microscope, or --psf, or --gaussian-fwhm.",
            )
        # Flags count more than the configuration, and that more than what the image says.
        known = {} if measurement is None else read_microscope(measurement.metadata)
        if config.physics.microscope is not None:
            known |= config.physics.microscope.model_dump(exclude_defaults=True)
        microscope = read_typed(Microscope, known | given, where="microscope")
        update |= {"psf": "theory", "path": None, "fwhm": None, "microscope": microscope}
        if arguments.wavelengths:
            update["wavelengths"] = numbers(arguments.wavelengths, "--wavelengths")
    if arguments.psf_keep:
        update["keep"] = tuple(step.strip() for step in arguments.psf_keep.split(","))
    if arguments.boundary:
        update["boundary"] = arguments.boundary
    if arguments.psf_as_is:
        update["prepare"] = False
    physics = config.physics.model_copy(update=update)
    if physics.psf == "array":
        raise InputError(
            "The run takes its PSF from a layer, which the command line does not have.",
            hint="Save the layer to a file and give it with --psf.",
        )
    return {"physics": physics}


def _clean(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return where the clean examples are, if the flags say so."""
    if arguments.clean:
        return {"clean": CleanChoice(source="file", path=arguments.clean)}
    if arguments.clean_slices:
        ranges = region(arguments.clean_slices, "--clean-slices")
        if len(ranges) != 1:
            raise InputError(
                f"--clean-slices {arguments.clean_slices} is more than one range.",
                hint="Write for example --clean-slices 0:25",
            )
        return {"clean": CleanChoice(source="slices", slices=ranges[0])}
    if arguments.clean_average is not None:
        chosen = {"source": "average", "average": arguments.clean_average}
        return {"clean": validate(CleanChoice, chosen, where="--clean-average")}
    if arguments.clean_denoised:
        return {"clean": CleanChoice(source="denoised")}
    return {}


def _instrument(arguments: argparse.Namespace, config: RunConfig) -> PhysicsChoice:
    """Return the physics of a reconstruction: what the configuration says, and the flags."""
    physics = config.physics
    update: dict[str, Any] = {"instrument": arguments.instrument or physics.instrument}
    scans = update["instrument"] in SCANS
    for key, model, fits in (("scan", Tomograph, scans), ("sampling", Sampling, not scans)):
        given = given_facts(arguments, key)
        if key == "sampling" and arguments.mask:
            given |= {"mask": "file", "path": arguments.mask}
        if given and not fits:
            flag = sorted(given)[0].replace("_", "-")
            raise InputError(
                f"What --{flag} says does not belong to --instrument {update['instrument']}.",
                hint="Leave it out, or choose another instrument.",
            )
        known = getattr(physics, key)
        before = {} if known is None else known.model_dump(exclude_defaults=True)
        if given or known is not None:
            update[key] = read_typed(model, before | given, where=key)
    if arguments.keep:
        update["keep"] = tuple(step.strip() for step in arguments.keep.split(","))
    made: PhysicsChoice = physics.model_copy(update=update)
    return made


def reading_of(arguments: argparse.Namespace) -> Reading:
    """Return what the flags tell of the files beside what these say themselves."""
    if arguments.units and not arguments.voxel_size:
        raise InputError("--units says nothing without --voxel-size.", hint="Give both.")
    sizes = numbers(arguments.voxel_size, "--voxel-size") if arguments.voxel_size else ()
    return Reading(arguments.axes or "", sizes, arguments.units or "micrometer")


def _read(arguments: argparse.Namespace) -> Measurement:
    # Complex values are k-space; all else is read as any image.
    kspace = getattr(arguments, "instrument", None) == "mri"
    level = arguments.choice.config.level if arguments.level is None else arguments.level
    return read_source(arguments.input, reading_of(arguments), level=level, kspace=kspace)


def _outputs(arguments: argparse.Namespace, config: RunConfig) -> Outputs:
    if not arguments.output:
        raise InputError("There is no output file.", hint="Name it with -o.")
    for flag, what in (("--save-model", "model"), ("--save-curves", "training")):
        if not getattr(arguments, flag[2:].replace("-", "_")):
            continue
        if config.method is None:
            raise InputError(f"Without a method there is no {what} to save.", hint=f"Leave {flag}.")
        if not METHODS.find(config.method).learned:
            raise InputError(
                f"{config.method} learns nothing that could be saved.",
                hint=f"Leave {flag}, or choose a learned method.",
            )
    sources = [arguments.input, *_more_inputs(config.physics)]
    if config.clean is not None and config.clean.path:
        sources.append(config.clean.path)
    outputs = Outputs(
        companions=companion_names(config),
        result=Path(arguments.output),
        baseline=Path(arguments.baseline_output) if arguments.baseline_output else None,
        model=Path(arguments.save_model) if arguments.save_model else None,
        overwrite=arguments.overwrite,
        curves=Path(arguments.save_curves) if arguments.save_curves else None,
    )
    outputs.check([Path(source) for source in sources])
    return outputs


def _more_inputs(physics: PhysicsChoice) -> list[str]:
    """Return the files that are read besides the image."""
    scan, sampling = physics.scan or Tomograph(), physics.sampling or Sampling()
    paths = (*physics.files, scan.angles, scan.flat, scan.dark, sampling.path)
    return [path for path in paths if path]


def _execute(plan: RunPlan, outputs: Outputs, arguments: argparse.Namespace) -> int:
    control = Control(show_preview=False)
    final = plan.methods[-1][0].key
    delivered = False
    history = History()
    with Progress(quiet=arguments.quiet) as progress:
        progress.say(plan.summary())
        keep = outputs.model is not None
        with (
            interruptible(control, progress),
            closing(cast(Any, execute(plan, control, keep_models=keep))) as events,
        ):
            for event in events:
                progress.show(event)
                history.take(event)
                if isinstance(event, Result):
                    last = event.key == final
                    path = outputs.result if last else outputs.baseline
                    if path is not None:
                        outputs.write(path, event)
                        progress.say(f"{event.label}: {path}")
                    if last:
                        for made in outputs.write_companions(event):
                            progress.say(f"companion: {made}")
                    if last and outputs.model is not None:
                        for saved in save_models(event, outputs.model, outputs.overwrite):
                            progress.say(f"model: {saved}")
                    if last and outputs.curves is not None:
                        table = write_curves(
                            outputs.curves, history.marks, overwrite=outputs.overwrite
                        )
                        progress.say(f"curves: {table}")
                    delivered = delivered or last
    return 0 if delivered else 130
