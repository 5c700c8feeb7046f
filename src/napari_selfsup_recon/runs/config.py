"""What a person intends: the model that window, command line and ``run.toml`` share."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError, field_validator, model_validator

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs._toml import dump_toml
from napari_selfsup_recon.runs.clean import CleanChoice
from napari_selfsup_recon.runs.instruments import SCANS, Instrument, Sampling, Tomograph
from napari_selfsup_recon.runs.words import as_input_error

Task = Literal["deconvolve", "denoise", "reconstruct"]
PsfSource = Literal["none", "gaussian", "theory", "file", "array"]
Boundary = Literal["extended", "circular", "reflect", "zero"]
Region = tuple[tuple[int, int], ...]


class PhysicsChoice(Options):
    """What the instrument did to the image."""

    instrument: Instrument = option(
        "blur",
        title="Instrument",
        description="What measured: a microscope that blurs, a tomograph, an MRI scanner, or "
        "anything that left pixels out.",
    )
    scan: Tomograph | None = option(
        None, title="Scan", description="How a tomograph made its projections."
    )
    sampling: Sampling | None = option(
        None, title="Sampling", description="Which pixels, or places of k-space, were measured."
    )
    psf: PsfSource = option(
        "none",
        title="PSF",
        description="Where the point spread function comes from: computed as a Gaussian or from "
        "the theory of a microscope, read from a file, or given as an array (a layer).",
    )
    microscope: Microscope | None = option(
        None,
        title="Microscope",
        description="What is printed on the microscope whose PSF is computed from theory.",
    )
    path: str | tuple[str, ...] | None = option(
        None,
        title="PSF file",
        description="TIFF, NumPy or zarr file that holds the PSF, or one for each channel; or a "
        "file for each.",
    )
    wavelengths: tuple[float, ...] | None = option(
        None,
        title="Wavelengths",
        unit="nm",
        advanced=True,
        description="Emission wavelength of each channel in nanometers, for a PSF from theory of "
        "each, for example 520, 610; that of the microscope for all if none.",
    )
    channel: tuple[int, int] | None = option(
        None,
        title="Channel",
        description="Of an image that is a single channel: which one it is, counted from 0, and of "
        "how many, where each has a PSF of its own.",
    )
    fwhm: tuple[float, ...] | None = option(
        None,
        title="Width",
        description="Full width at half maximum of the Gaussian PSF in the units of the image: one "
        "value for all axes or one for each of z, y, x.",
    )
    boundary: Boundary = option(
        "extended",
        title="Boundary",
        advanced=True,
        description="What lies beyond the edge: the unknown rest of the object (extended), the "
        "other side (circular), the mirror image (reflect) or nothing (zero).",
    )
    prepare: bool = option(
        True,
        title="Prepare the PSF",
        advanced=True,
        description="Subtract its background, centre, crop and normalise it, with a report.",
    )
    keep: tuple[str, ...] = option(
        (),
        title="Left as it is",
        advanced=True,
        description="Steps of the preparation that are left out, by name, for example centre; of "
        "projections columns or stripes.",
    )

    @property
    def files(self) -> tuple[str, ...]:
        """The files that hold the PSF."""
        if not self.path:
            return ()
        return (self.path,) if isinstance(self.path, str) else self.path

    @field_validator("channel")
    @classmethod
    def _one_of(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 0 <= value[0] < value[1]:
            raise ValueError(f"there is no channel {value[0]} of {value[1]}; they count from 0")
        return value

    @field_validator("fwhm", "wavelengths", mode="before")
    @classmethod
    def _one_value(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value


class NoiseChoice(Options):
    """What is known of the noise; what is not given is estimated from the measurement."""

    gain: float | None = option(
        None,
        ge=0,
        le=1e9,
        title="Gain",
        unit="grey values",
        description="Grey values that one photon gives; 0 where there is no photon noise.",
    )
    offset: float | None = option(
        None,
        ge=-1e9,
        le=1e9,
        title="Offset",
        unit="grey values",
        description="Grey value that the camera gives without light.",
    )
    read_noise: float | None = option(
        None,
        ge=0,
        le=1e9,
        title="Read noise",
        unit="grey values",
        description="Standard deviation of the noise without light.",
    )

    @property
    def given(self) -> bool:
        """Whether anything is known."""
        return any(value is not None for value in (self.gain, self.offset, self.read_noise))


class RunConfig(Options):
    """One run: task, method, baseline, physics and the part of the data.

    ``options`` and ``baseline_options`` hold what differs from the defaults of the chosen methods;
    :func:`napari_selfsup_recon.runs.resolve` validates them against the methods' options models.
    """

    task: Task = option(
        "deconvolve",
        title="Task",
        description="Sharpen (deconvolve), denoise, or reconstruct from too few measurements.",
    )
    method: str | None = option(
        "ssi",
        title="Method",
        description="Key of the method; none runs the baseline alone.",
    )
    options: dict[str, Any] = option({}, title="Options", description="Options of the method.")
    baseline: str | None = option(
        "richardson-lucy",
        title="Baseline",
        description="Classical method that runs first, to compare with; when denoising none unless "
        "it is named, of a scan filtered back-projection, of other samples least squares.",
    )
    baseline_options: dict[str, Any] = option(
        {}, title="Baseline options", description="Options of the baseline."
    )
    physics: PhysicsChoice = option(
        PhysicsChoice(), title="Physics", description="What the instrument did."
    )
    noise: NoiseChoice | None = option(
        None,
        title="Noise",
        description="What is known of the noise; estimated from the measurement if none.",
    )
    clean: CleanChoice | None = option(
        None,
        title="Clean examples",
        description="Images without noise to learn from, for the methods that take them.",
    )
    level: int = option(
        0,
        ge=0,
        le=30,
        title="Level",
        description="Which resolution of a multiscale image is worked on; 0 is the finest.",
    )
    region: Region | None = option(
        None,
        title="Region",
        description="First and last (excluded) pixel of the part to work on, an axis of z, y, x.",
    )
    frames: tuple[tuple[int, ...], ...] | None = option(
        None,
        title="Frames",
        description="Indices along the leading axes (times, channels) to work on; all if none.",
    )
    trust: bool = option(
        False,
        title="What to trust",
        description="Also make the companions of a learned reconstruction: what the measurement "
        "determines, what was inferred, the residual, and how sure the method is.",
    )
    preview_every: float = option(
        2.0,
        ge=0,
        le=3600,
        title="Preview every",
        unit="seconds",
        description="Time between two live images; 0 shows none.",
    )
    preview_region: Region | None = option(
        None,
        title="Preview region",
        description="Part of the region that live images show; its centre if not given and large.",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_task(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("task") == "denoise":
            return {"baseline": None, **given}
        if isinstance(given, dict) and given.get("task") == "reconstruct":
            physics = given.get("physics")
            known = physics if isinstance(physics, dict) else getattr(physics, "__dict__", {})
            scan = known.get("instrument") in SCANS
            first = "filtered-back-projection" if scan else "least-squares"
            return {"method": "ei", "baseline": first, **given}
        return given

    @classmethod
    def load_toml(cls, path: str | Path) -> Self:
        """Return the run that a TOML file describes.

        Raises
        ------
        FileError
            If the file cannot be read or is no TOML.
        InputError
            If it holds something that a run does not have.
        """
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise FileError(
                f"{path} cannot be read: {error.strerror or error}.",
                hint="Check the name and the permissions.",
            ) from error
        except ValueError as error:
            raise FileError(
                f"{path} is no valid TOML file: {error}.", hint="Correct the line it names."
            ) from error
        try:
            return cls.model_validate(_explicit_none(values))
        except ValidationError as error:
            raise as_input_error(error, cls, where=f"{path}") from error

    def to_toml(self) -> str:
        """Return the run as TOML; :meth:`load_toml` gives the same run back."""
        values = self.model_dump(mode="json")
        for key in ("method", "baseline"):
            if values[key] is None:  # TOML has no null
                values[key] = "none"
        return dump_toml(values)


def _explicit_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if key in ("method", "baseline") and value == "none" else value
        for key, value in values.items()
    }
