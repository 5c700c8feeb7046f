"""How a run can be repeated: what it was told, without keeping what it was told it of."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.plan import RunPlan, resolve
from napari_selfsup_recon.widgets.bridge import Source, source_of

_GONE = "What the run was told is not there any more"
_HINT = "Run the method again with the layers that are open now."


@dataclass(frozen=True, eq=False)
class Again:
    """A run without its data: layers and arrays are held weakly.

    Attributes
    ----------
    config
        What was asked for.
    layer
        What was worked on.
    axes, fixed
        How it was read; see :class:`~napari_selfsup_recon.widgets.bridge.Source`.
    metadata
        Of the measurement, for example angles.
    psf
        Returns the PSF, None without one.
    given
        Return what was given beside the data, by name.
    """

    config: RunConfig
    layer: weakref.ReferenceType[Layer]
    axes: tuple[str, ...]
    fixed: tuple[int | None, ...]
    metadata: Mapping[str, Any]
    psf: Callable[[], Any]
    given: Mapping[str, Callable[[], Any]]

    def source(self) -> Source:
        """Return what was worked on, as it is now.

        Raises
        ------
        InputError
            If the layer is gone.
        """
        layer = self.layer()
        if layer is None:
            raise InputError(f"{_GONE}: its layer was removed.", hint=_HINT)
        held = {axis: index for axis, index in enumerate(self.fixed) if index is not None}
        level = 0 if self.config.task == "reconstruct" else self.config.level
        source = source_of(layer, axes=self.axes, fixed=held, level=level)
        measurement = replace(source.measurement, metadata=self.metadata)
        return replace(source, measurement=measurement)

    def extras(self) -> dict[str, Any]:
        """Return what was given beside the data.

        Raises
        ------
        InputError
            If some of it is gone.
        """
        found = {name: recall() for name, recall in self.given.items()}
        if missing := [name for name, value in found.items() if value is None]:
            raise InputError(f"{_GONE}: {', '.join(missing)}.", hint=_HINT)
        return found

    def resolve(
        self, options: Mapping[str, Any], source: Source, fingerprint: str | None = None
    ) -> RunPlan:
        """Return the plan of the same run, without its baseline.

        Parameters
        ----------
        options
            Options of the method that differ from before.
        source
            From :meth:`source`.
        fingerprint
            Of the data that were worked on; of others training could not go on. None where it was
            compared before.

        Raises
        ------
        InputError
            If the data have changed or something is gone.
        """
        config = self.config.model_copy(
            update={"baseline": None, "options": {**self.config.options, **options}}
        )
        plan = resolve(config, source.measurement, psf=self.psf(), given=self.extras())
        if fingerprint not in (None, plan.measurement.describe()["fingerprint"]):
            raise InputError(
                f"{source.name!r} has changed since it was learned from.",
                hint="Run the method again on what it is now.",
            )
        return plan


def again_of(source: Source, config: RunConfig, psf: Any = None, given: Any = None) -> Again:
    """Return how the run of ``config`` on ``source`` can be repeated."""
    names = iter(source.measurement.axes)
    return Again(
        config=config,
        layer=source.layer,
        axes=tuple(
            next(names) if held is None else f"held{axis}" for axis, held in enumerate(source.fixed)
        ),
        fixed=source.fixed,
        metadata=source.measurement.metadata,
        psf=lambda: psf,  # small
        given={name: _weakly(value) for name, value in dict(given or {}).items()},
    )


def _weakly(value: Any) -> Callable[[], Any]:
    """Return what recalls ``value``, unless it is an array that nobody else has kept."""
    data = value.data if isinstance(value, Measurement) else value
    if not isinstance(data, np.ndarray):
        return lambda: value  # lazy, or small
    reference = weakref.ref(data)
    if not isinstance(value, Measurement):
        return reference
    empty = replace(value, data=np.broadcast_to(np.zeros((), data.dtype), data.shape))

    def recall() -> Measurement | None:
        found = reference()
        return None if found is None else replace(empty, data=found)

    return recall
