"""One slice at once, to set the rotation axis by eye."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.runs.problem import Problem

# Columns and views that are computed while somebody moves a slider.
_COLUMNS, _VIEWS = 400, 240


class QuickSlice:
    """Filtered back-projections of the middle slice of a scan, for any rotation axis.

    The sinogram is moved instead of the axis, so that one operator serves all. Wide detectors are
    binned and some views left out: what shows a wrong axis, doubled edges, survives that.

    Parameters
    ----------
    problem
        A scan with parallel rays; only its middle slice is kept.

    Attributes
    ----------
    factor
        Columns of the detector a pixel.
    """

    def __init__(self, problem: Problem) -> None:
        assert problem.degrees is not None
        values = np.asarray(problem.y[len(problem.y) // 2], dtype=np.float64)
        light = problem.facts.get("light")
        if light:
            values = -np.log(np.maximum(values, 1.0) / light) / problem.facts["attenuation"]
        step = math.ceil(len(values) / _VIEWS)
        self._values, self._degrees = values[::step], problem.degrees[::step]
        self.factor = math.ceil(values.shape[1] / _COLUMNS)
        self.size = values.shape[1] // self.factor
        self._operator: Any = None

    def at(self, axis: float) -> FloatImage:
        """Return the slice for a rotation axis at a column of the detector."""
        import torch

        from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

        if self._operator is None:
            angles = np.deg2rad(self._degrees)
            shape = (self.size, self.size)
            self._operator = ParallelBeam(shape, angles, detectors=self.size)
        moved = self._moved(axis)
        with torch.no_grad():
            image = self._operator.A_dagger(torch.from_numpy(moved)[None, None])
        shown: FloatImage = (image[0, 0] / self.factor).numpy()
        return shown

    def _moved(self, axis: float) -> FloatImage:
        """Return the sinogram binned, with ``axis`` in its middle."""
        columns = self._values.shape[1]
        fine = self.size * self.factor
        position = np.arange(fine) - (fine - 1) / 2 + axis
        source = np.arange(columns)
        rows = [np.interp(position, source, row) for row in self._values]
        moved: FloatImage = (
            np.stack(rows)
            .reshape(len(rows), self.size, self.factor)
            .mean(axis=2)
            .astype(np.float32)
        )
        return moved
