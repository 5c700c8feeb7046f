"""From any recorded or computed PSF to one that an operator can use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._centre import centre
from napari_selfsup_recon.physics.psf._crop import crop_energy
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, Level, as_kernel, in_words
from napari_selfsup_recon.physics.psf._recorded import (
    check_length,
    check_saturation,
    mend_dark_planes,
)
from napari_selfsup_recon.physics.psf._resample import resample
from napari_selfsup_recon.physics.psf._steps import (
    clip_negative,
    normalise,
    subtract_background,
    suppress_noise,
)

LEAST_LIGHT = 0.8

_LEFT = {
    "dark planes": "Dark planes were left as they are.",
    "background": "The background was left as it is.",
    "centre": "The centre was left where it is.",
    "voxel size": "The PSF was not resampled: its voxels are taken to be those of the image.",
    "noise": "The noise around the PSF was left as it is.",
    "size": "The PSF was not cropped.",
}
SKIPPABLE = tuple(_LEFT)
"""Names of the steps that :func:`prepare` can leave out."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A PSF ready for use and what was done to it. Unpacks as ``psf, findings``.

    Attributes
    ----------
    psf
        float64, centre at ``n // 2``, nothing negative, sum 1, no larger than the image.
    findings
        One a check, in the order of the steps.
    """

    psf: Kernel
    findings: tuple[Finding, ...]

    def __iter__(self) -> Iterator[Kernel | tuple[Finding, ...]]:
        return iter((self.psf, self.findings))

    @property
    def level(self) -> Level:
        """The gravest level among the findings."""
        levels: tuple[Level, ...] = ("warning", "repaired", "ok")
        present = {finding.level for finding in self.findings}
        return next((level for level in levels if level in present), "ok")


def prepare(
    psf: ArrayLike,
    *,
    image_shape: Sequence[int],
    psf_scale: Sequence[float] | None = None,
    image_scale: Sequence[float] | None = None,
    background: float | None = None,
    keep: float = 0.995,
    skip: Collection[str] = (),
) -> Prepared:
    """Return ``psf`` made ready for :class:`napari_selfsup_recon.Blur`, with a report.

    The steps: singleton axes dropped, dark planes mended, background subtracted, centre moved to
    ``n // 2``, voxel size matched, noise around it removed, negative values clipped, cropped to its
    light and to the image, divided by its sum. Saturation and missing planes cannot be mended; they
    are told. Preparing a prepared PSF again changes nothing.

    Parameters
    ----------
    psf
        2D for images, 3D for volumes; any real dtype. It is not modified.
    image_shape
        Spatial shape of the measurement, (y, x) or (z, y, x).
    psf_scale, image_scale
        Voxel sizes in the same units, one value an axis of ``psf`` and ``image_shape``; None where
        unknown.
    background
        Grey value of the PSF without light; None: read off its border.
    keep
        Share of the light that cropping must keep.
    skip
        Names of the steps to leave out, from :data:`SKIPPABLE`. A PSF that is larger than the image
        is cropped all the same.

    Raises
    ------
    InputError
        If the PSF is empty, zero, constant, not finite, has no positive light, has other axes than
        the image, or is so much larger than the image that less than 80 % of its light fits; or if
        ``skip`` names something that cannot be left out.
    """
    shape = tuple(int(n) for n in image_shape)
    left_out = {skip} if isinstance(skip, str) else set(skip)
    if unknown := sorted(left_out - set(SKIPPABLE)):
        raise InputError(
            f"The step {unknown[0]!r} cannot be left out.",
            hint=f"Choose from {', '.join(SKIPPABLE)}.",
        )
    kernel = as_kernel(psf)
    findings: list[Finding] = []
    kernel, scale = _match_axes(kernel, shape, psf_scale, findings)
    _tell(findings, check_saturation(kernel))

    def do(step: str, work: Callable[[Kernel], tuple[Kernel, Finding]]) -> None:
        nonlocal kernel
        done, found = work(kernel)
        undoable = step in SKIPPABLE and not np.array_equal(done, kernel)
        if undoable and step in left_out:
            found = Finding(step, _LEFT[step], undoable=True, skipped=True)
        else:
            kernel, found = done, replace(found, undoable=undoable)
        if step != "dark planes" or undoable:  # of which a good PSF knows nothing
            findings.append(found)

    do("dark planes", mend_dark_planes)
    # Judged by the recorded voxels, before the noise hides in a mask or planes are added.
    _tell(findings, check_length(subtract_background(kernel, background)[0]))
    do("background", lambda k: subtract_background(k, background))
    # Before the noise hides in a mask, the centre is found on the recorded voxels.
    do("centre", centre)
    do("voxel size", lambda k: _match_scale(k, scale, image_scale))
    do("noise", suppress_noise)
    do("values", clip_negative)
    whole = all(k <= n for k, n in zip(kernel.shape, shape, strict=True))
    do("size" if whole else "crop to the image", lambda k: _fit(k, shape, keep))
    do("sum", normalise)
    if kernel.max() > 0.98:
        findings.append(
            Finding(
                "sharpness",
                "The PSF is hardly larger than one voxel: there is no blur to remove.",
                "warning",
            )
        )
    return Prepared(kernel, tuple(findings))


def _tell(findings: list[Finding], found: Finding) -> None:
    """Keep a finding that is news."""
    if found.level != "ok":
        findings.append(found)


def _match_axes(
    kernel: Kernel,
    shape: tuple[int, ...],
    scale: Sequence[float] | None,
    findings: list[Finding],
) -> tuple[Kernel, tuple[float, ...] | None]:
    """Drop axes of length 1 where the PSF has more axes than the image."""
    sizes = None if scale is None else tuple(float(s) for s in scale)
    if sizes is not None and len(sizes) != kernel.ndim:
        raise InputError(
            f"The PSF has {kernel.ndim} axes but a voxel size of {sizes}.",
            hint="Give one value an axis of the PSF.",
        )
    before = kernel.shape
    while kernel.ndim > len(shape) and 1 in kernel.shape:
        axis = kernel.shape.index(1)
        kernel = kernel.squeeze(axis)
        sizes = None if sizes is None else sizes[:axis] + sizes[axis + 1 :]
    if kernel.ndim != len(shape):
        raise InputError(
            f"The PSF has {kernel.ndim} axes {before}, the image {len(shape)}.",
            hint=_way_out(kernel),
        )
    if kernel.shape != before:
        findings.append(
            Finding(
                "axes",
                f"Axes of length 1 were dropped: {in_words(before)} became "
                f"{in_words(kernel.shape)}.",
                "repaired",
            )
        )
    return kernel, sizes


def _way_out(kernel: Kernel) -> str:
    if kernel.ndim == 2:
        return "Give a 3D PSF for a volume, or treat the volume as single 2D images."
    if kernel.ndim == 3:
        sharpest = int(np.argmax(kernel.max(axis=(1, 2))))
        return f"Give a 2D PSF for an image, for example the plane psf[{sharpest}] of this one."
    return "Give a 2D PSF for images, a 3D PSF for volumes; one PSF, not one a channel."


def _match_scale(
    kernel: Kernel, scale: tuple[float, ...] | None, image_scale: Sequence[float] | None
) -> tuple[Kernel, Finding]:
    if scale is not None and image_scale is not None:
        return resample(kernel, scale, image_scale)
    if scale is None and image_scale is None:
        return kernel, Finding("voxel size", "No voxel sizes are known; they are taken as equal.")
    whose = "PSF" if scale is None else "image"
    return kernel, Finding(
        "voxel size",
        f"The voxel size of the {whose} is unknown; it is taken to be that of the "
        f"{'image' if scale is None else 'PSF'}.",
        "warning",
    )


def _fit(kernel: Kernel, shape: tuple[int, ...], keep: float) -> tuple[Kernel, Finding]:
    total = float(kernel.sum())
    cropped, found = crop_energy(kernel, keep, shape)
    fits = all(k <= n for k, n in zip(kernel.shape, shape, strict=True))
    if fits and 2 * cropped.size > kernel.size:  # not worth the loss
        return kernel, Finding("size", f"The PSF is {in_words(kernel.shape)} voxels large.")
    share = float(cropped.sum()) / total
    if share < LEAST_LIGHT:
        raise InputError(
            f"The PSF ({in_words(kernel.shape)} voxels) is larger than the image "
            f"({in_words(shape)}): only {100 * share:.0f} % of its light would fit.",
            hint="Choose a larger image or region, or crop the PSF to its core.",
        )
    return cropped, found
