"""SIAM (Quan, Qin, Pang, Ji, TPAMI 2024), rebuilt for every instrument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Event, Notice, Step
from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods._recon._held_out import fewest_slices
from napari_selfsup_recon.methods._recon._method import ReconstructionMethod
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._slab import scattered
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods._recon._units import Phase, Units
from napari_selfsup_recon.methods.base import as_tensor
from napari_selfsup_recon.methods.ei.method import choose_alpha, choose_transform
from napari_selfsup_recon.methods.siam._mixture import NONE, Shares, differences, mixed
from napari_selfsup_recon.methods.siam._network import Projections, Published
from napari_selfsup_recon.methods.siam._trainee import SIAMTrainee
from napari_selfsup_recon.methods.siam._views import View, views
from napari_selfsup_recon.methods.siam.options import SIAMOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian
from napari_selfsup_recon.training.device import laid_out
from napari_selfsup_recon.training.loop import Loop
from napari_selfsup_recon.transforms.base import Transform
from napari_selfsup_recon.transforms.names import from_name

# An instrument that misses less than this share of white noise has no null space to speak of.
_LEAST_MISSED = 0.01


class SIAM(ReconstructionMethod):
    """Reconstruct from incomplete measurements by twins that teach each other.

    One network works behind two instruments: the given one, and one that measures what the given
    one misses. What the first twin makes of the measurement, the second must make of the missed
    part of it alone. Needs many measurements; best where each has an operator of its own.

    Parameters
    ----------
    physics
        What the instrument did.
    options
        See :class:`SIAMOptions`.
    noise
        ``Gaussian``, ``Poisson`` or ``PoissonGaussian``, in the units of the measurement. None: not
        known, or none; values are then hidden from the network and asked for.

    References
    ----------
    Quan, Qin, Pang and Ji, Siamese Cooperative Learning for Unsupervised Image Reconstruction From
    Incomplete Measurements, IEEE Trans. Pattern Anal. Mach. Intell. 46 (2024).
    """

    key: ClassVar[str] = "siam"
    options_type: ClassVar[type[Options]] = SIAMOptions
    options: SIAMOptions

    def __init__(
        self,
        physics: Physics,
        options: SIAMOptions | None = None,
        *,
        noise: Noise | None = None,
    ) -> None:
        if isinstance(physics, list | tuple):
            shapes = {str(getattr(p, "measurement_shape", "?")) for p in physics}
            raise InputError(
                f"SIAM takes one physics, but {len(physics)} were given, with measurements of "
                f"shape {', '.join(sorted(shapes))}.",
                hint="Masks may differ from image to image: Inpainting and MRI take "
                "(batch, 1, *shape). Of operators that differ in shape, train one SIAM for each.",
            )
        super().__init__(physics, options, noise=noise)
        self._projections = Projections(self.options)
        self._seen: tuple[Physics, list[View]] | None = None

    @property
    def transform(self) -> Transform | None:
        """How the object could also have been placed; None where equivariance has no weight."""
        return self._moves() if self._alpha() else None

    def behind(self, physics: Physics) -> Self:
        """Return this method, as it was trained, behind another instrument of the same kind.

        For example another mask, other projections, or whole images after training on blocks.
        """
        return self._with(physics)

    def twins(self, y: Any) -> tuple[Any, Any]:
        """Return the images of both twins for measurements, as ``reconstruct`` returns the first.

        Parameters
        ----------
        y
            ``(*leading, *measurement_shape)``, NumPy or a tensor in memory.

        Returns
        -------
        tuple
            The image that is made of the measurement, and the one that is made of the part of that
            image which the instrument misses; float32 NumPy.
        """
        physics = self.physics
        own = len(physics.measurement_shape) + (physics.channels is not None)
        items = as_tensor(y, len(physics.measurement_shape), physics.channels)
        leading = tuple(np.shape(y))[: np.ndim(y) - own]
        if self.slab > 1:
            pairs = self._pairs_of_stacks(items, self._stack(y))
        else:
            pairs = [
                self._pair(items[n : n + 1], physics if physics.items is None else physics.at([n]))
                for n in range(len(items))
            ]
        first, second = (torch.cat(images).numpy() for images in zip(*pairs, strict=True))
        shape = first.shape[1:] if physics.channels else first.shape[2:]
        return first.reshape(*leading, *shape), second.reshape(*leading, *shape)

    def disagreement(self, y: Any) -> Any:
        """Return how far the twins are from each other, ``(*leading, *result_shape)``.

        Large where what was missed cannot be told from the rest of the image: a companion of the
        result.
        """
        first, second = self.twins(y)
        return np.abs(first - second)

    def _pairs_of_stacks(self, items: Tensor, stack: int) -> list[tuple[Tensor, Tensor]]:
        found = []
        for first in range(0, len(items), stack):
            pairs = list(self._each_slab(items[first : first + stack], self._pair, first))
            one, other = (scattered(slabs) for slabs in zip(*pairs, strict=True))
            found.append((one, other))
        return found

    @torch.no_grad()
    def _pair(self, y: Tensor, physics: Physics) -> tuple[Tensor, Tensor]:
        image, measured, missed = self._differences(y, physics)
        unit = self._facts["units"]["image"]
        both = (image, image + measured + missed)
        first, second = (self.physics.field_of_view(unit * x).cpu() for x in both)
        return first, second

    @torch.no_grad()
    def _image(self, y: Tensor, physics: Physics) -> Tensor:
        first, *others = self._views(physics)
        image = self._mean(y, first.physics)
        if not others:
            return image
        total = image.clone()
        for view in others:
            total += view.back(self._mean(view.forth(y), view.physics))
        return torch.lerp(image, total / (1 + len(others)), float(self._facts["turning"]))

    def _views(self, physics: Physics) -> list[View]:
        """Return the orientations that have a part in the result; they are kept."""
        if not (self.options.orientations and self._facts.get("turning")):
            return [View(physics)]
        if self._seen is None or self._seen[0] is not physics:
            self._seen = physics, views(physics)
        return self._seen[1]

    def _mean(self, y: Tensor, physics: Physics) -> Tensor:
        """Return the mean of the twins behind an instrument."""
        shares: Shares = tuple(self._facts.get("shares", NONE))
        if shares == NONE:
            return super()._image(y, physics)
        positive = self._positive(self._phase()) and physics.channels is None
        image = mixed(self._differences(y, physics), shares, positive=positive)
        return physics.field_of_view(image * self._facts["units"]["image"]).to(y.device)

    def _differences(self, y: Tensor, physics: Physics) -> tuple[Tensor, ...]:
        model = self._current()
        assert isinstance(model, Reconstructor)
        return differences(model, Part(y.to(self.device), physics), self._projections)

    def _finish(self, loop: Loop, trainee: ReconstructionTrainee) -> Iterator[Event]:
        if not isinstance(trainee, SIAMTrainee):
            yield from super()._finish(loop, trainee)
            return
        model = self._current()
        assert isinstance(model, Reconstructor)
        between = Step(loop.done, self.options.steps, finished=False)
        if self.options.orientations:
            turning = yield from relay(trainee.turning(model), lambda _: between)
            self._facts["turning"] = turning
            yield Notice(
                f"The mean over orientations has a share of {turning:.0%} in the result."
                if turning
                else "The mean over orientations tells held-out values no better; it is not taken."
            )
        if self.options.average:
            shares = yield from relay(trainee.mixture(model), lambda _: between)
            self._facts["shares"] = list(shares)
            yield Notice(
                f"The second twin has a share of {shares[0]:.0%} in what was measured, and of "
                f"{shares[1]:.0%} in what was missed."
            )
        yield from super()._finish(loop, trainee)

    def _alpha(self) -> float:
        return choose_alpha(self.options.alpha, self.physics, noisy=self.noise is not None)

    def _moves(self) -> Transform:
        return from_name(choose_transform(self.options.transform, self.physics))

    def _prepare(self, y: Any, clean: Any) -> Problem:
        _refuse_ragged(y)
        self._check_noise()
        items = len(as_tensor(y, len(self.physics.measurement_shape), self.physics.channels))
        if items < 2:
            raise InputError(
                "SIAM learns what the instrument misses from many objects, but there is one "
                "measurement.",
                hint="Give a stack of slices, or use EI or REI, which can learn from one.",
            )
        fewest = fewest_slices(self.slab)
        if self.physics.items is not None and items < fewest:
            raise InputError(
                f"Where each image has an operator of its own, SIAM needs {fewest} of them, "
                f"but there are {items}: some are left out to choose the best step.",
                hint="Give more slices.",
            )
        whole = self._projections.of(
            self.physics if self.physics.items is None else self.physics.at([0])
        )
        if whole.missed_share() < _LEAST_MISSED:
            raise InputError(
                "The instrument misses nothing of the image: SIAM has nothing to add.",
                hint="Use least squares, REI where there is noise, or SSI for blur and noise.",
            )
        return super()._prepare(y, clean)

    def _check_noise(self) -> None:
        options, noise = self.options, self.noise
        if noise is not None and not isinstance(noise, (Gaussian, PoissonGaussian)):
            raise InputError(
                f"SIAM does not know {type(noise).__name__} noise.",
                hint="Describe it as Gaussian, Poisson or PoissonGaussian.",
            )
        if noise is None and options.recorrupt and not options.split:
            raise InputError(
                "The noise is not known, and nothing is hidden from the network: it would learn to "
                "copy the noise.",
                hint="Give the noise, for example noise=Gaussian(0.05), in units of the "
                "measurement; or hide a part, split=0.125; or, if there is none, recorrupt=0.",
            )

    def _before(self, problem: Problem) -> Iterator[Event]:
        if self.noise is None and self.options.recorrupt:
            yield Notice(
                "The noise was not given: it is told from the rest by values that are hidden from "
                "the network."
            )

    def _trainee(self, problem: Problem) -> ReconstructionTrainee:
        return SIAMTrainee(
            problem,
            self.options,
            build=self._build,
            transform=self._moves(),
            alpha=self._alpha(),
            noise=self.noise,
            projections=self._projections,
        )

    def _phases(self) -> tuple[Phase, ...]:
        return super()._phases() if self.options.blocks == "default" else ("free",)

    def _build(self, attempt: int) -> nn.Module:
        options, ndim = self.options, len(self.physics.image_shape)
        if options.blocks == "default":
            return super()._build(attempt)
        model = Published(
            ndim,
            self._channels(),
            blocks=options.iterations,
            width=options.width,
            units=Units(**self._facts["units"]),
            positive=self._positive(),
            precision=options.precision,
            generator=torch_generator(options.seed, "weights", attempt),
            projections=self._projections,
        )
        return laid_out(model, ndim, self.device)


def _refuse_ragged(y: Any) -> None:
    """Complain about measurements of different shapes.

    Raises
    ------
    InputError
        With what to do.
    """
    if not isinstance(y, list | tuple):
        return
    shapes = sorted({tuple(np.shape(item)) for item in y})
    if len(shapes) > 1:
        raise InputError(
            f"The measurements differ in shape: {', '.join(map(str, shapes))}.",
            hint="Train one SIAM for each shape, or cut or bin the measurements to one.",
        )
