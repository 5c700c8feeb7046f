"""The frozen plan of a batch; what can be wrong with all of it is found here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.runs.batch.rows import (
    ENDING,
    Input,
    Row,
    name_outputs,
)
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.names import label_of
from napari_selfsup_recon.runs.plan import options_of
from napari_selfsup_recon.runs.reading import Reading


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """What is run on each of many files.

    Attributes
    ----------
    config
        The run that all rows share; one method, without a baseline beside it.
    rows
        What is read and written.
    overwrite
        Whether results that exist are made anew.
    reading
        What the files do not say of themselves.
    psf, given
        Arrays beside the data, as :func:`napari_selfsup_recon.runs.resolve` takes them.
    """

    config: RunConfig
    rows: tuple[Row, ...]
    overwrite: bool = False
    reading: Reading = field(default_factory=Reading)
    psf: Any = None
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The method whose result is written."""
        return self.config.method or self.config.baseline or ""

    @property
    def settings(self) -> str:
        """Short hash of all that a result depends on, apart from its input."""
        # How it is watched changes no result.
        config = self.config.model_copy(update={"preview_every": 0.0, "preview_region": None})
        digest = hashlib.sha256(f"{config.to_toml()}{self.reading}".encode())
        for name, values in sorted({"psf": self.psf, **self.given}.items()):
            for one in values if isinstance(values, list | tuple) else (values,):
                array = one.data if isinstance(one, Measurement) else one
                if hasattr(array, "shape"):
                    digest.update(f"{name}{fingerprint(array)}".encode())
        return digest.hexdigest()[:16]


def plan_batch(
    config: RunConfig,
    inputs: Iterable[Input],
    *,
    folder: Path | None = None,
    suffix: str = "",
    ending: str = ENDING,
    overwrite: bool = False,
    reading: Reading | None = None,
    psf: Any = None,
    given: Mapping[str, Any] | None = None,
) -> BatchPlan:
    """Return the plan of a batch, or say what is in its way; no file is opened.

    Parameters
    ----------
    config
        What is wanted. Of a method and a baseline only the method runs.
    inputs
        What is read.
    folder
        Where results go, made if it is missing; beside their inputs if None.
    suffix
        Stands behind the name of the input; by default the short name of the method, ``"ssi"``.
    ending
        Of results, one of :data:`napari_selfsup_recon.io.volumes.WRITABLE`.
    overwrite
        Whether results that exist are made anew.
    reading
        What the files do not say of themselves.
    psf, given
        Arrays beside the data, where ``config`` asks for such.

    Raises
    ------
    InputError
        If there are no inputs, the configuration cannot be used for any file, two rows would write
        the same file, or one would replace an input.
    """
    if config.method is not None:
        config = config.model_copy(update={"baseline": None, "baseline_options": {}})
    options_of(config)
    if config.task == "deconvolve" and config.physics.psf == "array" and psf is None:
        raise InputError(
            "The run takes its PSF from a layer, which is not here.",
            hint="Save the layer to a file and name it as the PSF.",
        )
    suffix = suffix or label_of(config.method or config.baseline or "").lower()
    if any(mark in suffix for mark in "/\\:"):
        raise InputError(
            f"{suffix!r} cannot be a part of a file name.", hint="Use letters and numbers."
        )
    rows = name_outputs(inputs, folder=folder, suffix=suffix, ending=ending)
    sources = {row.input.path.resolve() for row in rows}
    for row in rows:
        if row.output.resolve() in sources:
            raise InputError(
                f"{row.output.name} is an input of this batch and would be overwritten.",
                hint="Choose another folder or another suffix for the results.",
            )
    return BatchPlan(
        config=config,
        rows=rows,
        overwrite=overwrite,
        reading=reading or Reading(),
        psf=psf,
        given=dict(given or {}),
    )


def row_config(plan: BatchPlan, row: Row, measurement: Measurement) -> RunConfig:
    """Return the run of one row: that of the plan, on the part that the row names.

    Raises
    ------
    InputError
        If the image has no such time or channel.
    """
    from napari_selfsup_recon.runs.frames import frames

    chosen = frames(measurement, row.input.time, row.input.channel)
    return plan.config if chosen is None else plan.config.model_copy(update={"frames": chosen})
