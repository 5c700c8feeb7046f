"""Clean examples: what is known of them, and where they are read from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.runs._pseudo_clean import averaged
from napari_selfsup_recon.runs._units import in_units_of
from napari_selfsup_recon.runs._window import select

if TYPE_CHECKING:
    from napari_selfsup_recon.core.registry import Entry

HOW_TO_GIVE = (
    "Give another image or stack of the same kind, or the clean slices of this one: clean= in a "
    "script, --clean FILE or --clean-slices 0:25 on the command line."
)
# Pixel sizes that differ by more are not the same.
_SIZE = 0.02


class CleanChoice(Options):
    """Where the clean examples are."""

    source: Literal["file", "slices", "array", "average", "denoised"] = option(
        "slices",
        title="Clean examples",
        description="A file, some slices of the noisy stack itself, or an array (a layer). Where "
        "nothing is clean: averages of neighbouring slices or frames, or what masked "
        "self-supervision makes of the images.",
    )
    path: str | None = option(
        None,
        title="Clean file",
        description="TIFF, NumPy or zarr file of clean images, or a folder of such files.",
    )
    slices: tuple[int, int] | None = option(
        None,
        title="Clean slices",
        description="First and last (excluded) slice of the stack that are clean, along z, or "
        "along the first other axis of images. Averages are made of these, too; of all by default.",
    )
    average: int = option(
        5,
        ge=2,
        title="Averaged",
        unit="slices",
        description="Neighbouring slices or frames in one average.",
    )
    steps: int = option(
        400,
        ge=1,
        le=1_000_000,
        title="Steps",
        description="Training steps of the masked self-supervision that makes clean examples.",
    )


def choose_clean(
    choice: CleanChoice | None,
    measurement: Measurement,
    given: Any,
    *,
    entry: Entry | None,
    matched: bool = False,
) -> Measurement | None:
    """Return the clean examples of a run, None where its method takes none.

    Parameters
    ----------
    choice
        What was chosen.
    measurement
        The noisy images, all of them.
    given
        Array or measurement where the choice is ``"array"``.
    entry
        The method.
    matched
        Whether grey values are to be matched, so that other ones are welcome.

    Raises
    ------
    InputError
        If there are none but the method needs them, or they do not fit the noisy images.
    FileError
        If the file cannot be read.
    """
    if entry is None or not entry.clean:
        return None
    if choice is None:
        raise InputError(f"{entry.label} needs clean examples.", hint=HOW_TO_GIVE)
    if choice.source == "slices":
        return _slices(choice, measurement)
    if choice.source == "average":
        some = measurement if choice.slices is None else _slices(choice, measurement, part=False)
        return averaged(some, slice_axis(measurement), choice.average)
    if choice.source == "denoised":
        return replace(measurement, name=f"{measurement.name} denoised")
    if choice.source == "file":
        if not choice.path:
            raise InputError("The file of clean examples is not named.", hint="Name it.")
        from napari_selfsup_recon.runs.clean_files import read_examples

        clean = read_examples(choice.path)
    elif given is None:
        raise InputError("The clean examples are not given.", hint=HOW_TO_GIVE)
    elif isinstance(given, Measurement):
        clean = given
    else:
        clean = _like(np.asarray(given), measurement)
    check_kind(clean, measurement, matched=matched)
    return clean


def stacks_of(clean: Measurement, ndim: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return clean examples as a method takes them for noisy images with ``ndim`` axes; reads all.

    Stacks are ``(items, z, y, x)`` beside stacks; single images, in which no slice has neighbours,
    have one slice each.
    """
    frames = np.stack([clean.frame(index) for index in clean.leading_indices()])
    if ndim == 3 and clean.spatial_ndim == 2:
        return frames[:, None]
    return frames


def _like(values: np.ndarray[Any, Any], measurement: Measurement) -> Measurement:
    """Return an array as images of the same kind as the noisy ones."""
    if values.ndim < 2 or not values.size:
        raise InputError(
            f"The clean examples have shape {values.shape}: there is no image.", hint=HOW_TO_GIVE
        )
    spatial = ("z", "y", "x") if measurement.spatial_ndim == 3 and values.ndim > 2 else ("y", "x")
    lead = values.ndim - len(spatial)
    return Measurement(
        values, axes=(*(f"a{n}" for n in range(lead)), *spatial), name="clean examples"
    )


def slice_axis(measurement: Measurement) -> int:
    """Return the axis along which slices lie: z, or the first other axis of images.

    Raises
    ------
    InputError
        If there is a single image.
    """
    if "z" in measurement.axes:
        return measurement.axes.index("z")
    if not measurement.leading_shape:
        raise InputError(
            f"{measurement.name!r} is a single image; it has no slices to choose from.",
            hint="Give clean examples from elsewhere.",
        )
    return 0


def _slices(choice: CleanChoice, measurement: Measurement, *, part: bool = True) -> Measurement:
    """Return the chosen slices; where they must be a ``part``, not all of them."""
    if choice.slices is None:
        raise InputError(
            "Which slices are clean is not said.",
            hint="Give the first and the last (excluded) one.",
        )
    first, last = choice.slices
    axis = slice_axis(measurement)
    depth = measurement.shape[axis]
    if not 0 <= first < last <= depth:
        raise InputError(
            f"The clean slices {first}:{last} are not all in {measurement.name!r}, which has the "
            f"slices 0:{depth}.",
            hint="Slices count from 0; the last one is excluded.",
        )
    if part and last - first == depth:
        raise InputError(
            "All slices are called clean; there is nothing to denoise.",
            hint="Name only the slices with little noise.",
        )
    whole = [slice(0, n) for n in measurement.shape]
    whole[axis] = slice(first, last)
    chosen = select(measurement, tuple(whole))
    return replace(chosen, name=f"{measurement.name} {first}:{last}")


def check_kind(clean: Measurement, measurement: Measurement, *, matched: bool) -> None:
    """Complain about clean examples of another kind.

    Raises
    ------
    InputError
        If the pixel size or the kind of numbers is another one.
    """
    known = in_units_of(clean, measurement)
    if known is not None:
        sizes = zip(known[-2:], measurement.scale[-2:], strict=True)
        if any(abs(one / other - 1) > _SIZE for one, other in sizes):
            ours, theirs = (
                " x ".join(f"{s:.4g}" for s in scale)
                for scale in (known[-2:], measurement.scale[-2:])
            )
            raise InputError(
                f"The pixels of the clean examples are {ours} {measurement.units[-1]}, those of "
                f"{measurement.name!r} {theirs}.",
                hint="Bring one of them to the pixel size of the other first.",
            )
    kinds = clean.dtype, measurement.dtype
    if not matched and kinds[0].kind in "ui" and kinds[1].kind in "ui" and kinds[0] != kinds[1]:
        raise InputError(
            f"The clean examples are {kinds[0]}, {measurement.name!r} is {kinds[1]}: their grey "
            "values mean different things.",
            hint="Convert one of them, or set the matching of grey values to on.",
        )
