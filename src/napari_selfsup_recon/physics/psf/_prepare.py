"""From any recorded or computed PSF to one that an operator can use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf._centre import centre
from napari_selfsup_recon.physics.psf._crop import crop_energy
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, Level, as_kernel, in_words
from napari_selfsup_recon.physics.psf._resample import resample
from napari_selfsup_recon.physics.psf._steps import (
    clip_negative,
    normalise,
    subtract_background,
    suppress_noise,
)

LEAST_LIGHT = 0.8


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
) -> Prepared:
    """Return ``psf`` made ready for :class:`napari_selfsup_recon.Blur`, with a report.

    The steps: singleton axes dropped, background subtracted, voxel size matched, noise around it
    removed, centre moved to ``n // 2``, cropped to its light and to the image, negative values
    clipped, divided by its sum. Preparing a prepared PSF again changes nothing.

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

    Raises
    ------
    InputError
        If the PSF is empty, zero, constant, not finite, has no positive light, has other axes than
        the image, or is so much larger than the image that less than 80 % of its light fits.
    """
    shape = tuple(int(n) for n in image_shape)
    kernel = as_kernel(psf)
    findings: list[Finding] = []
    kernel, scale = _match_axes(kernel, shape, psf_scale, findings)

    kernel, found = subtract_background(kernel, background)
    findings.append(found)
    # Before the noise hides in a mask, the centre is found on the recorded voxels.
    kernel, found = centre(kernel)
    findings.append(found)
    kernel, found = _match_scale(kernel, scale, image_scale)
    findings.append(found)
    kernel, found = suppress_noise(kernel)
    findings.append(found)
    kernel, found = clip_negative(kernel)
    findings.append(found)
    kernel, found = _fit(kernel, shape, keep)
    findings.append(found)
    kernel, found = normalise(kernel)
    findings.append(found)
    if kernel.max() > 0.98:
        findings.append(
            Finding(
                "sharpness",
                "The PSF is hardly larger than one voxel: there is no blur to remove.",
                "warning",
            )
        )
    return Prepared(kernel, tuple(findings))


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
