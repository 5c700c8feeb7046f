"""Two layers in one place: left of a line the first, right of it the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets.comparison import LINKED, Comparison, with_like_values
from napari_selfsup_recon.widgets.pairing import placed_like

# How near to the line a press has to be to take it, in pixels of the screen.
_REACH = 12.0


class Curtain(Comparison):
    """The first layer left of a line, the last one right of it; in 2D and 3D.

    The line is moved with :attr:`position`, or dragged on the canvas in 2D. In 3D both layers are
    clipped. In 2D napari cannot clip: a temporary layer shows that part of the last one, without
    copying it. Parameters and errors are those of
    :class:`~napari_selfsup_recon.widgets.comparison.Comparison`.
    """

    mode: ClassVar[str] = "curtain"

    @property
    def position(self) -> float:
        """Where the line is, from 0 (left edge) to 1 (right edge)."""
        return self._position

    @position.setter
    def position(self, share: float) -> None:
        self._position = float(np.clip(share, 0, 1))
        self._draw()

    @property
    def sides(self) -> tuple[Layer, Layer]:
        """What is shown left and right."""
        return self._left, self._right

    def _check(self) -> None:
        super()._check()
        self.layers = with_like_values(self.layers)
        super()._check()
        for layer in (self.layers[0], self.layers[-1]):
            if not isinstance(layer, Image) or layer.multiscale:
                raise InputError(
                    f"The curtain cannot be drawn over {layer.name!r}.",
                    hint="Compare images of one resolution, or use the grid.",
                )

    def _show(self) -> None:
        self._left, self._right = self.layers[0], self.layers[-1]
        self._position = 0.5
        self._part: Image | None = None
        self._planes = [
            (layer, [plane.model_copy() for plane in layer.experimental_clipping_planes])
            for layer in (self._left, self._right)
        ]
        for layer in self.layers:
            layer.visible = layer in (self._left, self._right)
        dims = self._viewer.dims.events
        self._events = (dims.ndisplay, dims.order)
        for event in self._events:
            event.connect(self._on_view, position="last")  # napari has its new nodes by then
        self._viewer.mouse_drag_callbacks.append(self._on_drag)
        self._on_view()

    def _unshow(self) -> None:
        for event in self._events:
            event.disconnect(self._on_view)
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._drop_part()
        for layer, planes in self._planes:
            layer.experimental_clipping_planes = planes

    def _on_view(self, event: Any = None) -> None:
        """Begin anew: another number of dimensions is shown, or another axis runs to the right."""
        self._drop_part()
        for layer, planes in self._planes:
            layer.experimental_clipping_planes = planes
        flat = self._viewer.dims.ndisplay == 2
        self._left.name_overlay.position = "top_left"
        self._right.name_overlay.position = "top_right"
        self._right.visible = not flat
        if flat:
            self._part = self._make_part()
            selected = set(self._viewer.layers.selection)
            self._viewer.layers.append(self._part)
            link_layers([self._right, self._part], LINKED)
            self._viewer.layers.selection = selected  # what is added is selected otherwise
        self._draw()

    def _draw(self) -> None:
        if self._viewer.dims.ndisplay == 3:
            for layer, sign in ((self._left, -1.0), (self._right, 1.0)):
                self._clip(layer, sign)
            return
        if self._part is None or self._part not in self._viewer.layers:
            return
        axis, n = self._axis(self._right)
        first = self._index(self._right)
        shown = first < n
        self._part.visible = shown
        if not shown:
            return
        part = (slice(None),) * axis + (slice(first, None),)
        data = self._right.data[part]
        if data.shape != self._part.data.shape:
            self._part.data = data
        start = [first if other == axis else 0 for other in range(self._right.ndim)]
        self._part.translate = placed_like(self._right, start)["translate"]

    def _make_part(self) -> Image:
        """Return a layer like the right one."""
        right = self._right
        part = Image(
            right.data,
            name=f"{right.name} (curtain)",
            colormap=right.colormap,
            contrast_limits=right.contrast_limits,
            gamma=right.gamma,
            interpolation2d=right.interpolation2d,
            **placed_like(right, [0] * right.ndim),
        )
        part.contrast_limits_range = right.contrast_limits_range
        part.name_overlay.visible, part.name_overlay.position = True, "top_right"
        part.bounding_box.visible = True  # its left edge is the line
        part.bounding_box.points = False
        part.bounding_box.line_color = "white"
        return part

    def _drop_part(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        unlink_layers([self._right, part], LINKED)
        if part in self._viewer.layers:
            self._viewer.layers.remove(part)
        if self.linked:  # unlinking the part takes the right one out of the others, too
            link_layers(self._linked, LINKED)

    def _axis(self, layer: Layer) -> tuple[int, int]:
        """Return which axis of the layer runs to the right, and how long it is."""
        across = self._viewer.dims.displayed[-1]
        axis = max(0, across - (self._viewer.dims.ndim - layer.ndim))
        return axis, layer.data.shape[axis]

    @property
    def _world(self) -> float:
        """Where the line is in world coordinates."""
        low, high = self._ends()
        return low + self._position * (high - low)

    def _ends(self) -> tuple[float, float]:
        edges: list[float] = []
        for layer in (self._left, self._right):
            axis, n = self._axis(layer)
            low, high = layer.extent.world[:, axis]  # centres of the outermost pixels
            half = 0.5 * (high - low) / (n - 1) if n > 1 else 0.5 * abs(layer.scale[axis])
            edges += [float(low - half), float(high + half)]
        return min(edges), max(edges)

    def _index(self, layer: Layer) -> int:
        """Return the first pixel of ``layer`` right of the line."""
        axis, n = self._axis(layer)
        point = layer.extent.world.mean(axis=0)
        point[axis] = self._world
        return int(np.clip(math.ceil(float(layer.world_to_data(point)[axis])), 0, n))

    def _clip(self, layer: Layer, sign: float) -> None:
        """Show only one side of the layer."""
        # They are drawn in world coordinates, whatever napari says of them.
        place, normal = (0.0, 0.0, self._world), (0.0, 0.0, sign)
        planes = layer.experimental_clipping_planes
        if len(planes) == 1:
            planes[0].normal, planes[0].position = normal, place
        else:
            layer.experimental_clipping_planes = [
                {"position": place, "normal": normal, "enabled": True}
            ]

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """Let the line be taken with the mouse."""
        if self._viewer.dims.ndisplay != 2:
            return
        across = self._viewer.dims.displayed[-1]
        scene = getattr(self._viewer, "scene", self._viewer)  # napari before 0.9
        camera = scene.camera
        if abs(event.position[across] - self._world) * camera.zoom > _REACH:
            return
        before, camera.mouse_pan = camera.mouse_pan, False
        try:
            yield
            while event.type == "mouse_move":
                low, high = self._ends()
                self.position = (event.position[across] - low) / max(high - low, 1e-12)
                yield
        finally:
            camera.mouse_pan = before
