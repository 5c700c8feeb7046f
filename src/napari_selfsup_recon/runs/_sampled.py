"""Missing pixels and sampled k-space: the mask, read, guessed and checked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.runs.config import PhysicsChoice
from napari_selfsup_recon.runs.instruments import Sampling
from napari_selfsup_recon.runs.problem import Problem, empty_result

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.base import Physics

_Bools = np.ndarray[Any, np.dtype[np.bool_]]


def pose_inpainting(
    choice: PhysicsChoice, measurement: Measurement, given: dict[str, Any]
) -> Problem:
    """Return the problem of an image with missing pixels; volumes are taken slice by slice."""
    sampling = choice.sampling or Sampling()
    data = np.asarray(measurement.data)
    stack = data.reshape(-1, *data.shape[-2:]).astype(np.float32)
    findings: list[Finding] = []
    mask = _given_mask(sampling, given, data.shape)
    finite = np.isfinite(stack)
    if mask is None:
        if not finite.all():
            mask, why = finite, "is NaN"
        else:
            mask, why = stack != np.float32(sampling.missing), f"is {sampling.missing:g}"
        findings.append(Finding("mask", f"A pixel counts as missing where it {why}."))
    else:
        mask = mask.reshape(-1, *mask.shape[-2:])
        lost = int(np.count_nonzero(~finite & mask))
        if lost:
            mask = mask & finite
            findings.append(
                Finding("mask", f"{lost} pixels of the mask are NaN: missing, too.", "repaired")
            )
    known = np.broadcast_to(mask, stack.shape)
    mask = _shared(known)
    findings.append(_share(mask, "pixels"))
    y = np.where(known & finite, stack, 0).astype(np.float32)
    lead = measurement.shape[:-2]
    return Problem(
        instrument="inpainting",
        y=y,
        result=_like(measurement, lead),
        facts={"mask_fingerprint": fingerprint(mask), "measured": float(mask.mean())},
        lines=(f"Missing pixels: {1 - mask.mean():.1%}",),
        findings=tuple(findings),
        build=partial(_inpainting, mask),
    )


def pose_mri(choice: PhysicsChoice, measurement: Measurement, given: dict[str, Any]) -> Problem:
    """Return the problem of Cartesian k-space of a single coil."""
    sampling = choice.sampling or Sampling()
    kspace = _complex(measurement)
    findings: list[Finding] = []
    if not np.isfinite(kspace).all():
        raise InputError(
            f"{measurement.name!r} holds values that are NaN or infinite.",
            hint="Put zeros where nothing was measured, and give a mask.",
        )
    if not np.any(kspace):
        raise InputError(f"{measurement.name!r} is zero everywhere.", hint="Choose other data.")
    mask = _given_mask(sampling, given, kspace.shape)
    if mask is None:
        mask = (kspace != 0).any(axis=0)
        findings.append(Finding("mask", "A place of k-space counts as missing where it is 0."))
    elif mask.ndim == 3:
        if not (mask == mask[:1]).all():
            raise InputError(
                "The mask differs from slice to slice.", hint="Give one mask for all slices."
            )
        mask = mask[0]
    if not _is_centred(kspace, sampling.centred):
        kspace = np.fft.fftshift(kspace, axes=(-2, -1))
        mask = np.fft.fftshift(mask)
        findings.append(
            Finding("centre", "The frequency zero was moved to the middle of k-space.", "repaired")
        )
    findings.append(_share(mask, "places of k-space"))
    y = np.stack([kspace.real, kspace.imag], axis=1).astype(np.float32) * mask
    lead = measurement.shape[1:-2] if measurement.axes[0] == "c" else measurement.shape[:-2]
    return Problem(
        instrument="mri",
        y=y,
        result=_like(measurement, lead),
        facts={"mask_fingerprint": fingerprint(mask), "measured": float(mask.mean())},
        lines=(f"k-space: {mask.mean():.1%} measured, {1 / mask.mean():.3g} times faster",),
        findings=tuple(findings),
        build=partial(_mri, mask),
        channels=2,
    )


def _complex(measurement: Measurement) -> np.ndarray[Any, np.dtype[np.complex64]]:
    data = np.asarray(measurement.data)
    if measurement.axes[0] != "c" or data.shape[0] != 2 or data.ndim not in (3, 4):
        lengths = " x ".join(map(str, data.shape))
        raise InputError(
            f"{measurement.name!r} ({lengths}) is no k-space: its values are not complex.",
            hint="Give a complex array, or real and imaginary part as an axis c of length 2 in "
            "front.",
        )
    joined: np.ndarray[Any, np.dtype[np.complex64]] = (data[0] + 1j * data[1]).astype(np.complex64)
    return joined.reshape(-1, *data.shape[-2:])


def _is_centred(kspace: np.ndarray[Any, Any], said: str) -> bool:
    if said != "auto":
        return said == "yes"
    power = np.abs(kspace).sum(axis=0)
    peak = np.unravel_index(int(np.argmax(power)), power.shape)
    # At a corner, and not in the middle: then it was left as Fourier transforms give it.
    return not all(min(p, n - p) < n / 8 for p, n in zip(peak, power.shape, strict=True))


def _given_mask(sampling: Sampling, given: dict[str, Any], shape: tuple[int, ...]) -> _Bools | None:
    """Return the mask, other than 0 where something was measured; None where there is none."""
    raw = given.get("mask")
    if raw is None and sampling.mask == "file":
        if not sampling.path:
            raise InputError("The mask file is not named.", hint="Choose a TIFF or NumPy file.")
        raw = _read_mask(sampling.path)
    if raw is None and sampling.mask == "array":
        raise InputError("No mask was given.", hint="Choose the layer that holds it.")
    if raw is None:
        return None
    mask = np.asarray(raw.data if isinstance(raw, Measurement) else raw)
    if mask.dtype.kind not in "biuf" or (mask.dtype.kind == "f" and not np.isfinite(mask).all()):
        raise InputError("The mask holds values that are no numbers.", hint="Give zeros and ones.")
    if mask.shape == shape[-1:]:  # columns of k-space that were measured
        mask = np.broadcast_to(mask, shape[-2:])
    if mask.shape not in (shape[-2:], shape):
        turned = mask.shape == shape[-2:][::-1]
        raise InputError(
            f"The mask is {' x '.join(map(str, mask.shape))}, the image "
            f"{' x '.join(map(str, shape))}.",
            hint="It is transposed: turn it." if turned else "Give a mask of the same shape.",
        )
    return np.asarray(mask != 0)


def _read_mask(path: str) -> Any:
    from napari_selfsup_recon.io import volumes

    return volumes.read(path)


def _shared(mask: _Bools) -> _Bools:
    """Return one mask where all slices have the same, else ``(slice, 1, y, x)``."""
    each = mask.reshape(len(mask), -1).any(axis=1)
    if not each.all():
        where = f" in slice {int(np.flatnonzero(~each)[0])}" if len(mask) > 1 else ""
        raise InputError(f"All pixels are missing{where}.", hint="Is the mask the wrong way round?")
    if mask.all():
        raise InputError(
            "No pixel is missing.",
            hint="Give a mask, say which value stands for missing pixels, or choose to denoise.",
        )
    if bool((mask == mask[:1]).all()):
        return np.array(mask[0])
    return np.array(mask[:, None])


def _share(mask: _Bools, what: str) -> Finding:
    share = float(mask.mean())
    return Finding(
        "share", f"{share:.1%} of the {what} were measured.", "warning" if share < 0.05 else "ok"
    )


def _like(measurement: Measurement, lead: tuple[int, ...]) -> Measurement:
    ndim = len(lead) + 2
    if ndim > 3:
        raise InputError(
            f"{measurement.name!r} has too many axes: {measurement.axes}.",
            hint="Choose one time point or channel first.",
        )
    return empty_result(
        measurement,
        (*lead, *measurement.shape[-2:]),
        scale=measurement.scale[-ndim:],
        units=measurement.units[-ndim:],
    )


def _inpainting(mask: _Bools) -> Physics:
    from napari_selfsup_recon.physics.inpainting import Inpainting

    return Inpainting(mask)


def _mri(mask: _Bools) -> Physics:
    from napari_selfsup_recon.physics.mri import MRI

    return MRI(mask)
