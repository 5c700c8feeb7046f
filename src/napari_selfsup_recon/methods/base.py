"""What a method is: it reconstructs; a learned one also trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Step
from napari_selfsup_recon.core.measurement import FloatImage, Region
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods.classical_options import ClassicalOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate, estimate_noise
from napari_selfsup_recon.physics.outliers import repair_outliers


class Method(ABC):
    """A way from a measurement to an image.

    Parameters
    ----------
    physics
        What the instrument did.
    options
        Options of this method; its defaults where None.
    noise
        The noise of the measurement where it is known.
    """

    key: ClassVar[str]
    options_type: ClassVar[type[Options]]

    def __init__(
        self, physics: Physics, options: Options | None = None, *, noise: Noise | None = None
    ) -> None:
        if options is not None and not isinstance(options, self.options_type):
            raise InputError(
                f"{type(self).__name__} takes {self.options_type.__name__}, "
                f"not {type(options).__name__}.",
                hint=f"Build {self.options_type.__name__}(...).",
            )
        self.physics = physics
        self.options = self.options_type() if options is None else options
        self.noise = noise

    def reconstruct(self, y: Any, *, out: Any = None) -> Any:
        """Return the image(s) that explain the measurement(s) ``y``.

        Parameters
        ----------
        y
            ``(*leading, *measurement_shape)``. NumPy in, float32 NumPy out; tensor in, tensor out
            (same device); dask in, lazy dask out; zarr in, written to ``out``. Where the physics
            has ``channels`` they come before ``measurement_shape``; where every image has an
            operator of its own there are as many as these.
        out
            Array with the shape of the result (NumPy or zarr) that is filled item by item.

        Returns
        -------
        array
            ``(*leading, *result_shape)``; blurred axes are cropped to ``y``.

        Raises
        ------
        InputError
            If the shape does not fit the physics or values are not finite.
        """
        from napari_selfsup_recon.inference.arrays import map_items

        physics = self.physics
        estimate: Callable[[Tensor], Tensor] = self._estimate
        if physics.items is not None:
            self._check_items(y, lazy=out is None)
            estimate = _in_turn([self._with(physics.at([n])) for n in range(physics.items)])
        changed = self.result_shape != physics.measurement_shape
        return map_items(
            estimate,
            y,
            len(physics.measurement_shape),
            out=out,
            channels=physics.channels,
            shape=self.result_shape if changed else None,
        )

    @property
    def slab(self) -> int:
        """Slices of a stack that are reconstructed together; 1: each for itself."""
        return 1

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of one result: that of the image without its margins."""
        axes = zip(self.physics.image_shape, self.physics.margins, strict=True)
        return tuple(n - before - behind for n, (before, behind) in axes)

    def _check_items(self, y: Any, *, lazy: bool) -> None:
        """Refuse another number of measurements than there are operators, or ``lazy`` ones."""
        physics = self.physics
        own = len(physics.measurement_shape) + (physics.channels is not None)
        given = prod(y.shape[: len(y.shape) - own])
        if given != physics.items or (lazy and hasattr(y, "map_blocks")):
            raise InputError(
                f"There are operators for {physics.items} images, but {given} measurements.",
                hint="Give as many as one array in memory, or take some with physics.at.",
            )

    def _with(self, physics: Physics) -> Self:
        """Return this method for another operator of the same kind and shape."""
        other = copy(self)
        other.physics = physics
        return other

    @abstractmethod
    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one measurement, yielding ``Step``, ``Preview`` and last ``Done(result)``.

        The result is float32 NumPy; :meth:`reconstruct` is this run to its end, for every item.
        """

    @abstractmethod
    def _estimate(self, y: Tensor) -> Tensor:
        """Return the image for one measurement ``(1, channels or 1, *measurement_shape)``."""


class ClassicalMethod(Method):
    """A method without training; its options derive from ``ClassicalOptions``.

    ``run`` and ``_estimate`` of a subclass call :meth:`_repaired` first; ``run`` then yields
    ``_notices``. The noise that was given to the method, or that of the measurement, is
    ``self._noise_of(y)``; ask it of the measurement as recorded.
    """

    options: ClassicalOptions

    def __init__(
        self, physics: Physics, options: Options | None = None, *, noise: Noise | None = None
    ) -> None:
        super().__init__(physics, options, noise=noise)
        #: What the last :meth:`_repaired` has to tell.
        self._notices: list[Notice] = []

    def _noise_of(self, y: Tensor) -> NoiseEstimate:
        """Return the noise of ``(1, 1, *measurement_shape)``; a given one counts more."""
        estimate = estimate_noise(y)
        return estimate if self.noise is None else estimate.known(self.noise)

    def _repaired(self, y: Tensor) -> Tensor:
        """Return ``(1, 1, *measurement_shape)`` with wrong pixels replaced, if that is wanted."""
        self._notices = []
        if not self.options.repair or self._psf is None:
            return y
        repaired = repair_outliers(y, self._psf, noise=self._noise_of(y))
        if not repaired.share:
            return y
        count = int(repaired.wrong.sum())
        were = "was" if count == 1 else "were"
        self._notices.append(
            Notice(f"{count:,} of {y.numel():,} pixels {were} repaired (hot, dead or hit).")
        )
        return cast(Tensor, repaired.values)

    @property
    def _psf(self) -> np.ndarray[Any, Any] | None:
        return self.physics.psf if isinstance(self.physics, Blur) else None


class LearnedMethod(Method):
    """A method that learns from the measurement.

    Stopping :meth:`train` at any event leaves a usable method with the best weights so far.
    """

    @abstractmethod
    def train(self, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        """Train on ``y`` ``(*leading, *measurement_shape)``; a generator of events.

        Parameters
        ----------
        y
            The measurement(s).
        clean
            Clean examples, for methods that take them.
        state
            State of a :class:`~napari_selfsup_recon.core.events.Checkpoint` to resume from.
        """

    @property
    def snapshot(self) -> Callable[[], Mapping[str, Any]] | None:
        """While it trains, and after it was stopped: returns the state to resume from.

        Taken during training, it serves when training has ended, too, until which it holds all
        that was trained with.
        """
        loop = getattr(self, "_loop", None)
        return None if loop is None else cast(Callable[[], Mapping[str, Any]], loop.state)

    def fit(self, y: Any, *, clean: Any = None, progress: bool = True) -> Self:
        """Train to the end with a progress bar; returns the method."""
        from tqdm import tqdm

        with tqdm(disable=not progress, unit="step", desc=type(self).__name__) as bar:
            for event in self.train(y, clean=clean):
                if isinstance(event, Step) and event.finished:
                    bar.total = event.total
                    bar.update(event.index - bar.n)
                    if event.score is not None:
                        bar.set_postfix(held_out=f"{event.score:.4g}")
                elif isinstance(event, Done):
                    bar.set_postfix_str(event.reason)
        return self

    @property
    @abstractmethod
    def trained(self) -> bool:
        """Whether there are weights to reconstruct with."""

    def live(self, y: FloatImage, region: Region) -> tuple[Self, FloatImage]:
        """Return what makes a live image of a part of ``y``: a quick method, and that part.

        Quick is without the averaging over orientations, which costs many times as much.
        """
        quick = copy(self)
        if getattr(self.options, "ensemble", False):
            quick.options = self.options.model_copy(update={"ensemble": False})
        return quick, y[region].copy()

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        """Return what :meth:`from_state` needs: JSON-safe facts and arrays (weights)."""

    @classmethod
    @abstractmethod
    def from_state(
        cls,
        physics: Physics,
        options: Options,
        facts: dict[str, Any],
        arrays: dict[str, np.ndarray[Any, Any]],
    ) -> Self:
        """Rebuild a trained method."""

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Save model, physics, options and scores as one ``.nsr`` file (no pickle)."""
        from napari_selfsup_recon.core.registry import load_object

        write = load_object("napari_selfsup_recon.io.models:save_model")
        return cast(Path, write(self, path, overwrite=overwrite))


def _in_turn(methods: Sequence[Method]) -> Callable[[Tensor], Tensor]:
    """Return a function that every method serves once."""
    left = iter(methods)
    return lambda item: next(left)._estimate(item)


def as_tensor(y: Any, ndim: int, channels: int | None = None) -> Tensor:
    """Return ``y`` as a float32 tensor ``(items, 1, *spatial)``; leading axes become items.

    With ``channels`` these come before the spatial axes: ``(items, channels, *spatial)``.
    """
    from napari_selfsup_recon.inference.arrays import refuse_complex

    refuse_complex(y)
    if isinstance(y, Tensor):
        tensor = y.detach().to(torch.float32)
    else:
        tensor = torch.from_numpy(np.array(y, dtype=np.float32))
    own = ndim if channels is None else ndim + 1
    if tensor.ndim < own:
        raise InputError(
            f"The measurement has shape {tuple(tensor.shape)}; {ndim} spatial axes are needed"
            + ("." if channels is None else f", and {channels} channels before them."),
            hint="Give an image for 2D physics and a volume for 3D physics.",
        )
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(
            "The measurement holds NaN or infinite values.",
            hint="Replace them (numpy.nan_to_num or the median) first.",
        )
    if channels is None:
        return tensor.reshape(-1, 1, *tensor.shape[tensor.ndim - ndim :])
    return tensor.reshape(-1, *tensor.shape[tensor.ndim - own :])
