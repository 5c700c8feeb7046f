"""Reconstruction from a script, in a napari viewer: layers in, layers out.

Each function takes a viewer and layers and returns the layers that it adds; with
``background=True`` it returns a :class:`Job` at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs.clean import CleanChoice
from napari_selfsup_recon.runs.config import Boundary, NoiseChoice, PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.instruments import SCANS, Instrument, Sampling, Tomograph
from napari_selfsup_recon.runs.plan import resolve
from napari_selfsup_recon.runs.psf_channels import GivenPsf
from napari_selfsup_recon.runs.words import validate
from napari_selfsup_recon.widgets.again import again_of
from napari_selfsup_recon.widgets.bridge import source_of, unwrap
from napari_selfsup_recon.widgets.comparison import Comparison
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.mode_bar import MODES
from napari_selfsup_recon.widgets.recon_source import recon_source
from napari_selfsup_recon.widgets.saved_runs import open_run, save_run
from napari_selfsup_recon.widgets.script_inputs import given_psf, model_of, values_of
from napari_selfsup_recon.widgets.session import Session
from napari_selfsup_recon.widgets.warm_up import wait_for_torch

__all__ = ["Comparison", "Job", "compare", "deconvolve", "denoise", "open_run", "reconstruct"]
__all__ += ["save_run"]

AnyOptions = Options | Mapping[str, Any]
AnyImage: TypeAlias = Layer | np.ndarray[Any, Any] | str | os.PathLike[str]
AnyClean: TypeAlias = AnyImage | tuple[int, int] | CleanChoice | Mapping[str, Any]
AnyMicroscope = Microscope | Mapping[str, Any]
AnyNoise = NoiseChoice | Mapping[str, Any]


def deconvolve(
    viewer: Any,
    image: Layer,
    psf: AnyImage | Sequence[AnyImage] | None = None,
    *,
    fwhm: float | Sequence[float] | None = None,
    microscope: AnyMicroscope | None = None,
    method: str | None = "ssi",
    options: AnyOptions | None = None,
    baseline: str | None = "richardson-lucy",
    baseline_options: AnyOptions | None = None,
    boundary: Boundary = "extended",
    keep: Sequence[str] = (),
    noise: AnyNoise | None = None,
    region: Sequence[tuple[int, int]] | None = None,
    level: int = 0,
    axes: Sequence[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    preview_every: float = 2.0,
    background: bool = False,
) -> list[Image] | Job:
    """Sharpen an image layer and add the results to the viewer.

    Parameters
    ----------
    viewer
        The napari viewer.
    image
        Grey-scale image layer, 2D or 3D; leading axes (times, channels) are run one by one.
    psf
        The point spread function: a layer, an array on the grid of the image, or a file. One
        for each channel is given as a list of them, or with a channel axis in front.
    fwhm
        Instead of ``psf``: full width at half maximum of a Gaussian, in the units of the image; one
        value, or one for each of z, y, x.
    microscope
        Instead of ``psf``: what is printed on the microscope, as a
        :class:`~napari_selfsup_recon.psf.Microscope` or a dictionary; the PSF is computed for the
        voxels of the image.
    method
        Key of the method, for example ``"ssi"`` or ``"total-variation"``; None runs the baseline
        alone.
    options, baseline_options
        Options of the method and of the baseline: a model such as ``SSIOptions(steps=300)``, or a
        dictionary; defaults where None.
    baseline
        Classical method that runs first; None for none.
    boundary
        What lies beyond the edge: ``"extended"``, ``"circular"``, ``"reflect"`` or ``"zero"``.
    keep
        Steps of the preparation of the PSF to leave out, by name, for example ``("centre",)``.
    noise
        What is known of the noise, as a :class:`~napari_selfsup_recon.runs.config.NoiseChoice` or a
        dictionary of ``gain``, ``offset`` and ``read_noise``; the rest is estimated.
    region
        (start, stop) for each spatial axis; None: the whole image.
    level
        Which resolution of a multiscale layer; 0 is the finest.
    axes
        One name a dimension (``"tzyx"``), where the layer's labels do not say.
    folder
        Where results are written as OME-Zarr, frame by frame, to be read as they are needed; None:
        they lie in memory.
    preview_every
        Seconds between two live images; 0 shows none.
    background
        Whether to return a :class:`Job` at once.

    Returns
    -------
    list of Image or Job
        The layers that were added, the baseline's first. They carry scale, units, position and
        axis labels of ``image`` and their provenance in ``layer.metadata["selfsup_recon"]``.

    Raises
    ------
    ReconError
        If the input cannot be used (nothing was started then), or the run failed.
    """
    if sum(given is not None for given in (psf, fwhm, microscope)) != 1:
        raise InputError(
            "Sharpening needs one description of the blur: psf, fwhm or microscope.",
            hint="Give a PSF layer, array or file, or the width of a Gaussian, or a microscope.",
        )
    widths = (float(fwhm),) if isinstance(fwhm, int | float) else fwhm
    if isinstance(psf, str | os.PathLike):
        physics = PhysicsChoice(psf="file", path=os.fspath(psf), boundary=boundary)
        given: GivenPsf | None = None
    elif isinstance(psf, list | tuple) and all(isinstance(one, str | os.PathLike) for one in psf):
        paths = tuple(os.fspath(one) for one in psf)
        physics = PhysicsChoice(psf="file", path=paths, boundary=boundary)
        given = None
    elif psf is not None:
        physics = PhysicsChoice(psf="array", boundary=boundary)
        given = given_psf(psf, image, axes)
    elif microscope is not None:
        known = model_of(Microscope, microscope, "microscope")
        physics = PhysicsChoice(psf="theory", microscope=known, boundary=boundary)
        given = None
    else:
        widths = tuple(float(width) for width in widths or ())
        physics = PhysicsChoice(psf="gaussian", fwhm=widths, boundary=boundary)
        given = None
    config = RunConfig(
        task="deconvolve",
        method=None if method == baseline else method,
        options={} if method == baseline else values_of(options),
        baseline=baseline,
        baseline_options=values_of(baseline_options or (options if method == baseline else None)),
        physics=physics.model_copy(update={"keep": tuple(keep)}),
        noise=None if noise is None else model_of(NoiseChoice, noise, "noise"),
        region=None if region is None else tuple((int(a), int(b)) for a, b in region),
        level=level,
        preview_every=preview_every,
    )
    return _run(viewer, image, config, given, axes, background, folder)


def denoise(
    viewer: Any,
    image: Layer,
    *,
    clean: AnyClean | None = None,
    method: str | None = None,
    options: AnyOptions | None = None,
    baseline: str | None = None,
    baseline_options: AnyOptions | None = None,
    noise: AnyNoise | None = None,
    region: Sequence[tuple[int, int]] | None = None,
    level: int = 0,
    axes: Sequence[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    preview_every: float = 2.0,
    background: bool = False,
) -> list[Image] | Job:
    """Remove the noise of an image layer and add the result to the viewer.

    Other parameters, results and errors are those of :func:`deconvolve`; nothing has to be known of
    the instrument.

    Parameters
    ----------
    clean
        Clean examples, which need not match the image: a layer, an array, a file or folder, or
        (first, last) slices, the last excluded, of the image itself. Where nothing is clean:
        ``{"source": "average", "average": 5}`` for averages of neighbouring slices or frames, or
        ``{"source": "denoised"}`` for what ``method="ssi"`` makes of the image; both as a
        :class:`~napari_selfsup_recon.runs.CleanChoice`, too.
    method
        Key of the method; None takes ``"iscl"`` where there are clean examples, else ``"ssi"``.
    """
    choice: CleanChoice | None = None
    given: dict[str, Any] = {}
    if isinstance(clean, str | os.PathLike):
        choice = CleanChoice(source="file", path=os.fspath(clean))
    elif isinstance(clean, CleanChoice | Mapping):
        choice = model_of(CleanChoice, clean, "clean")
    elif isinstance(clean, tuple):
        choice = model_of(CleanChoice, {"source": "slices", "slices": clean}, "clean")
    elif clean is not None:
        choice = CleanChoice(source="array")
        layer = unwrap(clean)
        is_layer = isinstance(layer, Layer)
        given["clean"] = source_of(layer).measurement if is_layer else np.asarray(layer)
    config = RunConfig(
        task="denoise",
        method=method or ("ssi" if choice is None else "iscl"),
        clean=choice,
        options=values_of(options),
        baseline=baseline,
        baseline_options=values_of(baseline_options),
        noise=None if noise is None else model_of(NoiseChoice, noise, "noise"),
        region=None if region is None else tuple((int(a), int(b)) for a, b in region),
        level=level,
        preview_every=preview_every,
    )
    return _run(viewer, image, config, None, axes, background, folder, given)


def reconstruct(
    viewer: Any,
    image: Layer,
    instrument: Instrument = "parallel-beam",
    *,
    angles: ArrayLike | str | os.PathLike[str] | None = None,
    axis: float | Literal["auto", "middle"] = "auto",
    flat: AnyImage | None = None,
    dark: AnyImage | None = None,
    mask: AnyImage | None = None,
    scan: Tomograph | Mapping[str, Any] | None = None,
    sampling: Sampling | Mapping[str, Any] | None = None,
    method: str | None = "ei",
    options: AnyOptions | None = None,
    baseline: str | None = "auto",
    baseline_options: AnyOptions | None = None,
    keep: Sequence[str] = (),
    noise: AnyNoise | None = None,
    trust: bool = False,
    preview_every: float = 2.0,
    background: bool = False,
) -> list[Image] | Job:
    """Reconstruct a scan, k-space, or an image with missing pixels, and add the results.

    Parameters
    ----------
    viewer
        The napari viewer.
    image
        Layer of projections (a sinogram, or a stack with three axes), of k-space (real and
        imaginary part as an axis of two in front), or an image some of whose pixels are missing.
    instrument
        ``"parallel-beam"``, ``"fan-beam"``, ``"transmission"`` (photon counts), ``"inpainting"`` or
        ``"mri"``.
    angles
        Of a scan, one a view: an array or a file. Without it those of the layer's metadata are
        taken, or else the range ``scan["span"]`` in degrees is spread over the views.
    axis
        Column of the detector onto which the rotation axis falls; found where ``"auto"``.
    flat, dark
        Of a scan: projections without the object and without light; layer, array or file.
    mask
        Other than 0 where something was measured; layer, array or file. Without it a pixel is
        missing where it is NaN or 0, a place of k-space where it is 0.
    scan, sampling
        More to be said of it: a :class:`~napari_selfsup_recon.runs.Tomograph` or
        :class:`~napari_selfsup_recon.runs.Sampling`, or a dictionary.
    method, options, baseline_options, noise, preview_every, background
        As for :func:`deconvolve`.
    baseline
        Classical method that runs first; ``"auto"`` takes filtered back-projection for scans, and
        least squares for the others; None for none.
    keep
        Steps of the preparation of a scan to leave out: ``"columns"``, ``"stripes"``.
    trust
        Whether hidden layers are added that say what a learned result may be trusted for: what the
        measurement determines and what was inferred, the residual, and how sure the method is.

    Returns
    -------
    list of Image or Job
        The layers that were added, the baseline's first. Their pixels are as large as the columns
        of the detector, over the pitch.

    Raises
    ------
    ReconError
        If the input cannot be used (nothing was started then), or the run failed.
    """
    given: dict[str, Any] = {}
    facts = {"scan": values_of(scan), "sampling": values_of(sampling)}
    for name, value, where, field in (
        ("angles", angles, "scan", "angles"),
        ("flat", flat, "scan", "flat"),
        ("dark", dark, "scan", "dark"),
        ("mask", mask, "sampling", "path"),
    ):
        if isinstance(value, str | os.PathLike):
            facts[where][field] = os.fspath(value)
            if name == "mask":
                facts[where]["mask"] = "file"
        elif value is not None:
            layer = unwrap(value)
            given[name] = layer.data if isinstance(layer, Layer) else np.asarray(value)
    if axis != "auto":
        facts["scan"]["axis"] = axis
    physics = PhysicsChoice(
        instrument=instrument,
        scan=validate(Tomograph, facts["scan"], where="scan") if instrument in SCANS else None,
        sampling=None
        if instrument in SCANS
        else validate(Sampling, facts["sampling"], where="sampling"),
        keep=tuple(keep),
    )
    chosen: dict[str, Any] = {} if baseline == "auto" else {"baseline": baseline}
    config = RunConfig.model_validate(
        {
            "task": "reconstruct",
            "method": method,
            "options": values_of(options),
            "baseline_options": values_of(baseline_options),
            "physics": physics,
            "noise": None if noise is None else model_of(NoiseChoice, noise, "noise"),
            "preview_every": preview_every,
            "trust": trust,
            **chosen,
        }
    )
    if config.method == config.baseline:
        config = config.model_copy(update={"baseline": None})
    source = recon_source(image, instrument)
    wait_for_torch()
    plan = resolve(config, source.measurement, given=given)  # bad input is told here, at once
    again = again_of(source, config, given=given)
    job = Session.of(viewer).start(Job(viewer, source, lambda: plan, again=again))
    return job if background else job.wait()


def compare(
    viewer: Any,
    layers: Sequence[Layer],
    *,
    mode: Literal["grid", "curtain", "blink"] = "grid",
    link: bool = True,
) -> Comparison:
    """Compare layers, labelled, with one camera; in 2D and in 3D.

    Parameters
    ----------
    viewer
        The napari viewer.
    layers
        Two or more, in reading order. Others are hidden meanwhile.
    mode
        ``"grid"`` side by side, ``"curtain"`` the first left of a line and the last right of it,
        ``"blink"`` one after another.
    link
        Whether contrast, gamma and colours change together.

    Returns
    -------
    Comparison
        Its ``close()`` brings everything back; it is a context manager, too.

    Raises
    ------
    InputError
        If fewer than two layers are given, or one is not in the viewer.
    """
    if mode not in MODES:
        raise InputError(f"There is no mode {mode!r}.", hint=f"Choose from {', '.join(MODES)}.")
    return MODES[mode](viewer, layers, link=link)


def _run(
    viewer: Any,
    image: Layer,
    config: RunConfig,
    psf: GivenPsf | None,
    axes: Sequence[str] | None,
    background: bool,
    folder: str | os.PathLike[str] | None,
    given: Mapping[str, Any] | None = None,
) -> list[Image] | Job:
    source = source_of(image, axes=axes, level=config.level)
    wait_for_torch()
    # Bad input is told here, at once.
    plan = resolve(config, source.measurement, psf=psf, given=given)
    again = again_of(source, config, psf, given)
    place = "" if folder is None else os.fspath(folder)
    job = Job(viewer, source, lambda: plan, again=again, folder=place)
    Session.of(viewer).start(job)
    return job if background else job.wait()
