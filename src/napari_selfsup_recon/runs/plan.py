"""Intent plus data facts as one frozen snapshot; every check on the input is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement, check_image
from napari_selfsup_recon.core.memory import readable_bytes
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.runs._pseudo_clean import CAVEATS
from napari_selfsup_recon.runs._selection import part_of, preview_slices
from napari_selfsup_recon.runs.clean import choose_clean
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.instruments import LABELS
from napari_selfsup_recon.runs.memory import check_device, device_memory, memory_needed
from napari_selfsup_recon.runs.problem import Given, Problem, pose
from napari_selfsup_recon.runs.psf import choose_psfs
from napari_selfsup_recon.runs.psf_channels import CHANNEL, GivenPsf
from napari_selfsup_recon.runs.suits import check_neighbours, check_noise, refuse
from napari_selfsup_recon.runs.words import validate


@dataclass(frozen=True, eq=False)
class RunPlan:
    """What will be run, on what, where and with how much memory.

    Attributes
    ----------
    config
        What was asked for.
    measurement
        The chosen frames and region; nothing of it is read before it is needed.
    psfs
        Prepared PSFs: none without blur, one for all channels, or one for each.
    psf_report
        What was found and done to the PSF.
    method_options, baseline_options
        Validated options, None where that method does not run.
    device
        ``"cpu"``, ``"cuda:0"``, or ``"auto"``, which is resolved when the run starts.
    memory_needed, memory_free
        Bytes; a rough estimate and what is free now.
    warnings
        Sentences that the user should read before the run.
    preview_region
        Part of the measurement, as slices of its spatial axes, that live images show.
    problem
        What is reconstructed, of what kind of measurement; None when sharpening and denoising.
    clean
        Clean examples, for the methods that learn from them.
    """

    config: RunConfig
    measurement: Measurement
    psfs: tuple[np.ndarray[Any, Any], ...]
    psf_report: tuple[Finding, ...]
    method_options: Options | None
    baseline_options: Options | None
    device: str
    memory_needed: int
    memory_free: int
    warnings: tuple[str, ...] = ()
    preview_region: tuple[slice, ...] = field(default=())
    problem: Problem | None = None
    clean: Measurement | None = None

    @property
    def psf(self) -> np.ndarray[Any, Any] | None:
        """The PSF, of the first channel where each has its own; None without blur."""
        return self.psfs[0] if self.psfs else None

    def psf_of(self, index: Sequence[int]) -> np.ndarray[Any, Any] | None:
        """Return the PSF of the frame at ``index`` along the leading axes of the measurement."""
        if len(self.psfs) < 2:
            return self.psf
        return self.psfs[index[self.measurement.axes.index(CHANNEL)]]

    @property
    def methods(self) -> tuple[tuple[Entry, Options], ...]:
        """The methods in the order in which they run, with their options."""
        pairs = (
            (self.config.baseline, self.baseline_options),
            (self.config.method, self.method_options),
        )
        return tuple(
            (METHODS.find(key), options)
            for key, options in pairs
            if key is not None and options is not None
        )

    def summary(self) -> str:
        """Return the plan in a few plain lines."""
        image = self.measurement
        shape = " x ".join(f"{a} {n}" for a, n in zip(image.axes, image.shape, strict=True))
        level = f", level {self.config.level}" if self.config.level else ""
        lines = [
            f"image    {image.name} ({shape}, {image.dtype}){level}",
            f"task     {self.config.task}",
            f"methods  {', then '.join(entry.label for entry, _ in self.methods)}",
            f"device   {self.device}, needs about {readable_bytes(self.memory_needed)}, "
            f"{readable_bytes(self.memory_free)} free",
        ]
        if self.problem is not None:
            out = self.problem.result
            made = " x ".join(f"{a} {n}" for a, n in zip(out.axes, out.shape, strict=True))
            lines[2:2] = [*(f"physics  {line}" for line in self.problem.lines), f"result   {made}"]
            lines += [f"data     {finding.message}" for finding in self.problem.findings]
        if self.clean is not None:
            size = " x ".join(
                f"{a} {n}" for a, n in zip(self.clean.axes, self.clean.shape, strict=True)
            )
            lines.insert(1, f"clean    {self.clean.name} ({size}, {self.clean.dtype})")
        for kernel in self.psfs[::-1]:
            size = " x ".join(map(str, kernel.shape))
            lines.insert(2, f"PSF      {size}, boundary {self.config.physics.boundary}")
        lines += [f"PSF      {finding.message}" for finding in self.psf_report]
        lines += [f"warning  {warning}" for warning in self.warnings]
        return "\n".join(lines)


def resolve(
    config: RunConfig,
    measurement: Measurement,
    *,
    psf: GivenPsf | None = None,
    given: Given | None = None,
) -> RunPlan:
    """Return the plan of a run, or say what is in its way; no work is started.

    Parameters
    ----------
    config
        What is wanted.
    measurement
        The data.
    psf
        The PSF where ``config.physics.psf`` is ``"array"``: an array on the grid of the image, or a
        measurement, whose voxel size is then compared. With a channel axis in front, or as a list,
        it is one for each channel.
    given
        Arrays or measurements beside the data. When reconstructing: ``"flat"``, ``"dark"``,
        ``"angles"``, ``"mask"``. When denoising: ``"clean"``, where ``config.clean.source`` is
        ``"array"``.

    Raises
    ------
    InputError
        If the data, the PSF, the options or their combination cannot be used.
    FileError
        If the PSF file cannot be read.
    """
    method_options, baseline_options = options_of(config)
    if config.task == "reconstruct":
        return _resolve_reconstruction(config, measurement, given, method_options, baseline_options)
    chosen = part_of(measurement, config.region, config.frames)
    check_image(chosen)
    preview = preview_slices(config.preview_region, chosen.spatial_shape)
    kernels, report = choose_psfs(config, chosen, psf, measurement)
    largest = max(kernels, key=np.size, default=None)
    clean = choose_clean(
        config.clean,
        measurement,
        (given or {}).get("clean"),
        entry=None if config.method is None else METHODS.find(config.method),
        matched=getattr(method_options, "match", "") == "on",
    )
    device = _device(method_options, baseline_options)
    needed = max(
        memory_needed(options, chosen, largest)
        for options in (method_options, baseline_options)
        if options is not None
    )
    free = device_memory(device)
    return RunPlan(
        config=config,
        measurement=chosen,
        psfs=kernels,
        psf_report=report,
        method_options=method_options,
        baseline_options=baseline_options,
        device=device,
        memory_needed=needed,
        memory_free=free,
        warnings=_warnings(config, chosen, psf, needed, free),
        preview_region=preview,
        clean=clean,
    )


def _resolve_reconstruction(
    config: RunConfig,
    measurement: Measurement,
    given: Given | None,
    method_options: Options | None,
    baseline_options: Options | None,
) -> RunPlan:
    chosen = part_of(measurement, None, config.frames)
    problem = pose(config, chosen, given)
    check_neighbours(method_options, problem)
    device = _device(method_options, baseline_options)
    # Besides the image there is the measurement, which may be larger.
    needed = problem.bytes_more + 12 * problem.y.nbytes
    needed += max(
        memory_needed(options, problem.result, None)
        for options in (method_options, baseline_options)
        if options is not None
    )
    free = device_memory(device)
    told = [finding.message for finding in problem.findings if finding.level == "warning"]
    return RunPlan(
        config=config,
        measurement=chosen,
        psfs=(),
        psf_report=(),
        method_options=method_options,
        baseline_options=baseline_options,
        device=device,
        memory_needed=needed,
        memory_free=free,
        warnings=(*told, *_memory_warning(needed, free, "fewer slices")),
        problem=problem,
    )


def options_of(config: RunConfig) -> tuple[Options | None, Options | None]:
    """Return the validated options of the method and of the baseline.

    Raises
    ------
    InputError
        If there is no method, it is not for the task, or an option cannot be used.
    """
    if config.method is None and config.baseline is None:
        raise InputError("No method is chosen.", hint="Choose a method or a baseline.")
    found: list[Options | None] = []
    for key, given in (
        (config.method, config.options),
        (config.baseline, config.baseline_options),
    ):
        if key is None:
            found.append(None)
            continue
        entry = METHODS.find(key)
        if config.task not in entry.tasks:
            others = [e.key for e in METHODS.for_task(config.task)]
            raise InputError(
                f"{entry.label} cannot {_in_words(config)}.",
                hint=f"For this task choose from {', '.join(others)}.",
            )
        if config.task == "reconstruct":
            refuse(entry, config.physics.instrument)
            check_noise(entry, config)
        found.append(validate(entry.load_options(), given, where=entry.label))
    if config.baseline == config.method:  # nothing to compare with
        found[1] = None
    elif config.baseline is not None and METHODS.find(config.baseline).learned:
        raise InputError(
            f"{METHODS.find(config.baseline).label} cannot be the baseline: it has to be trained.",
            hint="Choose it as the method.",
        )
    return found[0], found[1]


def _device(*options: Options | None) -> str:
    names = [str(getattr(o, "device", "auto")) for o in options if o is not None]
    for name in names:
        check_device(name)
    return names[0]


def _warnings(
    config: RunConfig, measurement: Measurement, psf: Any, needed: int, free: int
) -> tuple[str, ...]:
    found = []
    if config.task == "denoise" and (config.physics.psf != "none" or psf is not None):
        found.append("The PSF is not used: denoising takes the image as it is.")
    if config.clean is not None and not (config.method and METHODS.find(config.method).clean):
        found.append("The clean examples are not used: the method takes none.")
    elif config.clean is not None and config.clean.source in CAVEATS:
        found.append(CAVEATS[config.clean.source].format(average=config.clean.average))
    found += _memory_warning(needed, free, "a smaller region")
    frames = prod(measurement.leading_shape)
    if frames > 1:
        found.append(f"{frames} frames are processed one after another.")
    return tuple(found)


def _memory_warning(needed: int, free: int, way_out: str) -> tuple[str, ...]:
    if needed <= free:
        return ()
    return (
        f"The run needs about {readable_bytes(needed)}, but {readable_bytes(free)} are free. "
        f"Choose {way_out} if it fails.",
    )


def _in_words(config: RunConfig) -> str:
    if config.task != "reconstruct":
        return config.task
    return f"reconstruct measurements of the kind {LABELS[config.physics.instrument]!r}"
