"""The commands and their flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import napari_selfsup_recon
from napari_selfsup_recon.cli import _batch, _describe, _job
from napari_selfsup_recon.cli._choice import Choice, choose
from napari_selfsup_recon.cli._fields import add_facts, add_fields
from napari_selfsup_recon.cli._instrument import add_instrument
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs.config import NoiseChoice

# Flags that would say too little by the name of their field.
MICROSCOPE_FLAGS = {"kind": "microscope", "model": "light-model"}
NOISE_FLAGS = {"gain": "noise-gain", "offset": "noise-offset"}

_EPILOG = """\
exit codes:
  0    done, or stopped with Ctrl-C and kept
  1    files of a batch failed; the others are done
  2    wrong usage, or an image, PSF or option that cannot be used
  3    a file cannot be read or written
  4    out of memory, or the job failed
  130  discarded (Ctrl-C twice), or a batch was ended and files are left
"""

_JOB_EPILOG = (
    _EPILOG
    + """
Ctrl-C stops and keeps the best result so far; a second Ctrl-C discards it.
An option that the method and the baseline both have is set for both; to set one of the two, use
--set key=value or --set baseline.key=value. The options of another method: --method KEY --help.
"""
)


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser for ``arguments``: the flags of a job depend on the methods it names.

    Raises
    ------
    InputError, FileError
        If the arguments name a method or a configuration that does not exist.
    """
    parser = argparse.ArgumentParser(
        prog="napari-selfsup-recon",
        description="Self-supervised image reconstruction: sharpen or denoise an image, or "
        "reconstruct a scan, by learning from this measurement alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = napari_selfsup_recon.__version__
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    for task, words in (
        ("deconvolve", "sharpen an image whose point spread function is known"),
        ("denoise", "remove the noise of an image"),
        ("reconstruct", "reconstruct a scan, k-space or missing pixels from too few measurements"),
    ):
        job = commands.add_parser(
            task,
            help=words,
            description=f"{words.capitalize()}.",
            epilog=_JOB_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if arguments and arguments[0] == task:
            _add_job(job, choose(task, arguments[1:]))

    batch = commands.add_parser(
        "batch",
        help="the same run on many files; goes on where it was ended",
        description="Run one configuration on many files, or on every scene, time or channel of a "
        "file.\nThe same command again goes on: results that are there are left as they are.",
        epilog=_EPILOG + _batch.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _batch.add_flags(batch)
    info = commands.add_parser(
        "info",
        help="what is installed, or what a file holds",
        description="Say what is installed and what the machine has, or what an image holds.",
        allow_abbrev=False,
    )
    info.add_argument("file", nargs="?", metavar="FILE", help="image to describe")
    info.set_defaults(run=_describe.info)
    methods = commands.add_parser(
        "methods",
        help="the methods and their options",
        description="List the methods, or the options of one.",
        allow_abbrev=False,
    )
    methods.add_argument("key", nargs="?", metavar="METHOD", help="list the options of this one")
    methods.set_defaults(run=_describe.methods)
    return parser


def _add_job(parser: argparse.ArgumentParser, choice: Choice) -> None:
    parser.set_defaults(run=_job.run, choice=choice)
    parser.add_argument(
        "input", nargs="?", metavar="IN", help="image or volume: TIFF, NumPy (.npy) or zarr"
    )
    files = parser.add_argument_group("files")
    files.add_argument("-o", "--output", metavar="OUT", help="where the result goes")
    files.add_argument("--baseline-output", metavar="FILE", help="also run and save the baseline")
    files.add_argument("--save-model", metavar="FILE", help="save the trained network (.nsr)")
    files.add_argument(
        "--save-curves", metavar="FILE", help="save loss and held-out score of each step (.csv)"
    )
    files.add_argument("--overwrite", action="store_true", help="replace files that exist")
    files.add_argument(
        "--config", metavar="RUN.TOML", help="start from this run; flags override it"
    )
    files.add_argument(
        "--dump-config", action="store_true", help="print the run as TOML and do nothing else"
    )
    files.add_argument("-q", "--quiet", action="store_true", help="print errors only")

    data = parser.add_argument_group("data")
    data.add_argument("--axes", help="names of the axes where the file does not say: tczyx")
    data.add_argument(
        "--voxel-size", metavar="Z,Y,X", help="where the file does not say; in --units"
    )
    data.add_argument("--units", metavar="UNIT", help="unit of --voxel-size (default: micrometer)")
    data.add_argument(
        "--level", type=int, metavar="N", help="resolution of a pyramid; 0 (default) is full size"
    )
    data.add_argument(
        "--region", metavar="A:B,C:D,...", help="pixels to work on, an axis of z, y, x"
    )
    data.add_argument("--time", metavar="N|A:B", help="times to work on, from 0")
    data.add_argument("--channel", metavar="N|A:B", help="channels to work on, from 0")

    if choice.config.task == "denoise":
        examples = data.add_mutually_exclusive_group()
        examples.add_argument(
            "--clean",
            metavar="FILE",
            help="clean images of the same kind, to learn from (iscl); a file or a folder of files",
        )
        examples.add_argument(
            "--clean-slices",
            metavar="A:B",
            help="slices of IN that are clean, from 0, the last excluded",
        )
        examples.add_argument(
            "--clean-average",
            type=int,
            metavar="N",
            help="averages of N neighbouring slices or frames of IN serve as clean examples",
        )
        examples.add_argument(
            "--clean-denoised",
            action="store_true",
            help="IN after masked self-supervision serves as clean examples",
        )
    if choice.config.task == "reconstruct":
        add_instrument(parser)
    if choice.config.task == "deconvolve":
        physics = parser.add_argument_group("point spread function")
        one = physics.add_mutually_exclusive_group()
        one.add_argument(
            "--psf",
            metavar="FILE",
            action="append",
            help="image of a point; with a channel axis, or given several times, one a channel",
        )
        one.add_argument(
            "--gaussian-fwhm",
            metavar="W|Z,Y,X",
            help="Gaussian of this full width at half maximum, in the units of the image",
        )
        physics.add_argument(
            "--boundary",
            choices=("extended", "circular", "reflect", "zero"),
            help="what lies beyond the edge (default: extended, the unknown rest of the object)",
        )
        physics.add_argument(
            "--psf-as-is", action="store_true", help="do not centre, crop or normalise the PSF"
        )
        physics.add_argument(
            "--psf-keep",
            metavar="STEP,...",
            help="leave out these steps of the preparation, by the names that the report gives them"
            " (for example centre)",
        )
        microscope = parser.add_argument_group(
            "microscope",
            "Any of these flags computes the PSF from theory, which needs the voxel size. What is\n"
            "not given is taken from the image file where it says so.",
        )
        add_facts(microscope, Microscope, "microscope", MICROSCOPE_FLAGS)
        microscope.add_argument(
            "--wavelengths", metavar="NM,...", help="emission wavelength of each channel"
        )
    noise = parser.add_argument_group("noise", "What is not given is estimated from the image.")
    add_facts(noise, NoiseChoice, "noise", NOISE_FLAGS)

    methods = parser.add_argument_group("methods")
    methods.add_argument("--method", metavar="KEY", help="see the command methods; or none")
    methods.add_argument("--baseline", metavar="KEY", help="of --baseline-output; or none")
    methods.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set an option of the method (baseline.KEY=VALUE: of the baseline)",
    )
    add_fields(parser, choice.entries)
