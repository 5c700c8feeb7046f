"""A PSF for each channel: what is given, told apart and matched to the channels of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.physics.psf import Finding
from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig

Psf = np.ndarray[Any, Any]
GivenPsf = Measurement | Psf | Sequence[Measurement | Psf]
"""An array, a measurement, either with a channel axis in front, or one for each channel."""

CHANNEL = "c"
_LEVELS = ("warning", "repaired", "ok")
_Item = TypeVar("_Item")


def channel_count(measurement: Measurement) -> int:
    """Return how many channels an image has; 0 where it has no axis of them."""
    axes = measurement.axes
    return measurement.shape[axes.index(CHANNEL)] if CHANNEL in axes else 0


def split(given: GivenPsf, whole: Measurement, choice: PhysicsChoice) -> list[Measurement | Psf]:
    """Return one PSF for all channels, or one for each.

    Parameters
    ----------
    given
        The first axis of a measurement is taken for channels where it is called ``"c"``; that of an
        array, or of a file that does not say, where it is as long as the image has channels.
    whole
        The image.
    choice
        May say which of how many channels the image is.

    Raises
    ------
    InputError
        If the first axis is as long as neither.
    """
    if isinstance(given, Sequence):
        return list(given)
    axis, several = 0, channel_count(whole)
    if not several and choice.channel is not None:
        several = choice.channel[1]
    if isinstance(given, Measurement) and CHANNEL in given.axes:
        axis, several = given.axes.index(CHANNEL), channel_count(given)
    elif len(given.shape) != whole.spatial_ndim + 1 or 1 in (several or 1, given.shape[0]):
        return [given]
    elif given.shape[0] != several:
        raise InputError(
            f"The PSF has {given.shape[0]} entries along its first axis, but {whole.name!r} has "
            f"{several} channels.",
            hint="Give a PSF for each channel, or one with the axes of a single image or volume.",
        )
    return [_entry(given, axis, number) for number in range(several)] if several > 1 else [given]


def matched(
    items: Sequence[_Item], whole: Measurement, config: RunConfig, what: str = "PSFs"
) -> tuple[_Item, ...]:
    """Return one item for all channels that are worked on, or one for each of them.

    Parameters
    ----------
    items
        One, or one for each channel of the image.
    whole
        The image, before frames are chosen.
    config
        Says which frames are.
    what
        What the items are called in messages.

    Raises
    ------
    InputError
        If there are several, and not as many as the image has channels.
    """
    if len(items) == 1:
        return tuple(items)
    count, chosen = _channels(whole, config)
    if not count:
        raise InputError(
            f"There are {len(items)} {what}, one for each channel, but {whole.name!r} has no "
            "channels.",
            hint="Give one, or say which axis of the image holds its channels (c).",
        )
    if len(items) != count:
        raise InputError(
            f"There are {len(items)} {what}, but {whole.name!r} has {count} channel"
            f"{'s' if count > 1 else ''}.",
            hint="Give one for each channel, in their order, or one for all.",
        )
    return tuple(items[number] for number in chosen)


def called(whole: Measurement, config: RunConfig) -> tuple[str, ...]:
    """Return what the channels that are worked on are called in findings."""
    return tuple(f"Channel {number}" for number in _channels(whole, config)[1])


def merged(found: Sequence[tuple[Finding, ...]], names: Sequence[str]) -> tuple[Finding, ...]:
    """Return the findings of several channels as one a step; what is alike is said once.

    Parameters
    ----------
    found
        Findings of each channel.
    names
        Of the channels.
    """
    if len(found) == 1:
        return found[0]
    rows: dict[tuple[str, int], list[tuple[str, Finding]]] = {}
    for name, findings in zip(names, found, strict=True):
        seen: dict[str, int] = {}
        for finding in findings:
            count = seen[finding.step] = seen.get(finding.step, -1) + 1
            rows.setdefault((finding.step, count), []).append((name, finding))
    return tuple(_one(row, len(found)) for row in rows.values())


def _one(row: list[tuple[str, Finding]], channels: int) -> Finding:
    """Return what was found in some channels as one finding, as grave as the gravest."""
    level = min((finding.level for _, finding in row), key=_LEVELS.index)
    told = [(name, f) for name, f in row if f.level != "ok" or f.skipped or level == "ok"]
    messages = {finding.message for _, finding in told}
    if len(messages) == 1 and len(told) == channels:
        words = told[0][1].message
    else:
        words = " ".join(f"{name}: {finding.message}" for name, finding in told)
    return replace(
        row[0][1],
        message=words,
        level=level,
        undoable=any(finding.undoable for _, finding in row),
        skipped=any(finding.skipped for _, finding in row),
    )


def _channels(whole: Measurement, config: RunConfig) -> tuple[int, list[int]]:
    """Return how many channels there are, and which of them are worked on."""
    count, held = channel_count(whole), config.physics.channel
    if count == 0:
        return (0, []) if held is None else (held[1], [held[0]])
    axis = whole.axes.index(CHANNEL)
    frames = config.frames
    return count, list(range(count)) if frames is None else sorted({f[axis] for f in frames})


def _entry(given: Measurement | Psf, axis: int, number: int) -> Measurement | Psf:
    """Return the PSF of one channel."""
    if not isinstance(given, Measurement):
        return np.asarray(given[number])
    rest = [n for n in range(len(given.shape)) if n != axis]
    return Measurement(
        np.take(np.asarray(given.data), number, axis=axis),
        axes=tuple(given.axes[n] for n in rest),
        scale=tuple(given.scale[n] for n in rest),
        units=tuple(given.units[n] for n in rest),
        name=given.name,
    )
