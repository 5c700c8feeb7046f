"""Layers side by side: a labelled grid in which view and contrast move together."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer
from psygnal import Signal

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.widgets.bridge import origin_of, unwrap

LINKED = ("contrast_limits", "gamma", "colormap")

_OPEN: weakref.WeakKeyDictionary[Any, Comparison] = weakref.WeakKeyDictionary()


def current_comparison(viewer: Any) -> Comparison | None:
    """Return the comparison that is open in ``viewer``."""
    return _OPEN.get(unwrap(viewer))


@dataclass(frozen=True)
class _Before:
    """How the viewer looked."""

    grid: tuple[Any, ...]
    bar: tuple[bool, bool]
    visible: list[tuple[Layer, bool]]
    names: list[tuple[Layer, bool, Any]]


class Comparison:
    """A grid of layers; everything is as it was after :meth:`close`.

    Layers that are not compared are hidden meanwhile. Works the same in 2D and 3D, where all cells
    turn together.

    Parameters
    ----------
    viewer
        The napari viewer.
    layers
        What is compared, in reading order; two at least.
    link
        Whether contrast, gamma and colours change together. Layers whose contrast differs take that
        of the first as long as they are linked.

    Raises
    ------
    InputError
        If fewer than two layers of the viewer are given.
    """

    mode: ClassVar[str] = "grid"
    ended = Signal()
    """Emitted when the comparison was closed."""

    def __init__(self, viewer: Any, layers: Sequence[Layer], *, link: bool = True) -> None:
        self._viewer = unwrap(viewer)
        self.layers = [unwrap(layer) for layer in layers]
        self._check()
        if (other := current_comparison(self._viewer)) is not None:
            other.close()
        _OPEN[self._viewer] = self
        grid, bar = self._grid, self._scale_bar
        self._before = _Before(
            grid=(grid.enabled, grid.shape, grid.stride, grid.spacing),
            bar=(bar.visible, bar.gridded),
            visible=[(layer, layer.visible) for layer in self._viewer.layers],
            names=[
                (layer, layer.name_overlay.visible, layer.name_overlay.position)
                for layer in self.layers
            ],
        )
        self.closed = False
        self._linked: list[Layer] = []
        self._own: list[tuple[Image, Any, Any, float]] = []
        for layer in self._viewer.layers:
            layer.visible = layer in self.layers
        for layer in self.layers:
            layer.name_overlay.visible = True
        bar.visible, bar.gridded = True, False
        if link:
            self.link()
        self._show()

    def _check(self) -> None:
        if len(self.layers) < 2:
            raise InputError(
                "There is nothing to compare yet.", hint="Run a method, or choose two layers."
            )
        missing = [layer.name for layer in self.layers if layer not in self._viewer.layers]
        if missing:
            raise InputError(
                f"{', '.join(missing)} is not in this viewer.", hint="Choose layers that are."
            )

    def _show(self) -> None:
        """Show the layers side by side."""
        grid = self._grid
        self._arrange()
        grid.shape = (1, -1) if len(self.layers) <= 3 else (-1, -1)
        grid.stride, grid.spacing, grid.enabled = 1, 0.02, True
        self._viewer.reset_view()

    def _unshow(self) -> None:
        """Take back what :meth:`_show` did."""
        grid = self._grid
        grid.enabled, grid.shape, grid.stride, grid.spacing = self._before.grid
        self._viewer.reset_view()

    @property
    def linked(self) -> bool:
        """Whether contrast, gamma and colours change together."""
        return bool(self._linked)

    def link(self) -> None:
        """Let contrast, gamma and colours change together, beginning with those of the first."""
        alike = with_like_values(self.layers)
        if self._linked or len(alike) < 2:
            return
        first = alike[0]
        for layer in alike[1:]:
            self._take_contrast(layer, first)
        link_layers(alike, LINKED)
        self._linked = alike

    def unlink(self) -> None:
        """Let every layer have its own contrast: what was changed by linking is taken back."""
        if self._linked:
            unlink_layers(self._linked, LINKED)
            self._linked = []
        for layer, limits, span, gamma in self._own:
            layer.contrast_limits_range = span
            layer.contrast_limits, layer.gamma = limits, gamma
        self._own = []

    def close(self) -> None:
        """Restore the view, the visibility, the contrast and the links as they were."""
        if self.closed:
            return
        self.closed = True
        _OPEN.pop(self._viewer, None)
        self.unlink()
        bar, before = self._scale_bar, self._before
        self._unshow()
        bar.visible, bar.gridded = before.bar
        for layer, shown, place in before.names:
            layer.name_overlay.visible, layer.name_overlay.position = shown, place
        for layer, shown in before.visible:
            if layer in self._viewer.layers:
                layer.visible = shown
        self.ended.emit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take_contrast(self, layer: Layer, first: Layer) -> None:
        if not (isinstance(layer, Image) and isinstance(first, Image)):
            return
        wanted = (tuple(first.contrast_limits), first.gamma)
        if (tuple(layer.contrast_limits), layer.gamma) == wanted:
            return
        span = tuple(layer.contrast_limits_range)
        self._own.append((layer, tuple(layer.contrast_limits), span, layer.gamma))
        layer.contrast_limits_range = min(span[0], wanted[0][0]), max(span[1], wanted[0][1])
        layer.contrast_limits, layer.gamma = wanted

    @property
    def _grid(self) -> Any:
        canvas = getattr(self._viewer, "canvas", None)  # napari before 0.9 has it on the viewer
        return canvas.grid if canvas is not None else self._viewer.grid

    @property
    def _scale_bar(self) -> Any:
        canvas = getattr(self._viewer, "canvas", None)
        return canvas.overlays.scale_bar if canvas is not None else self._viewer.scale_bar

    def _arrange(self) -> None:
        """Put the compared layers in reading order: the grid follows the layer list."""
        order = [x for x in self._viewer.layers if x not in self.layers] + self.layers
        for target, layer in enumerate(order):
            index = self._viewer.layers.index(layer)
            if index != target:
                self._viewer.layers.move(index, target)


def with_like_values(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers whose values mean the same: a scan is left out beside its images."""
    scans = [
        origin_of(layer)
        for layer in layers
        if (layer.metadata.get(METADATA_KEY) or {}).get("physics", {}).get("kind")
        in ("parallel-beam", "fan-beam", "transmission", "mri")
    ]
    return [layer for layer in layers if not any(layer is scan for scan in scans)]


def related(viewer: Any, layer: Layer | None) -> list[Layer]:
    """Return ``layer`` and what was made from it in this viewer, in the order of the layer list.

    For a result its source and its siblings are returned; quick tries are left out.
    """
    layer = origin_of(unwrap(layer)) if layer is not None else None
    if layer is None:
        return []
    made = [
        other
        for other in unwrap(viewer).layers
        if other is not layer
        and origin_of(other) is layer
        and not (other.metadata.get(METADATA_KEY) or {}).get("preview", True)
    ]
    return [layer, *made]
