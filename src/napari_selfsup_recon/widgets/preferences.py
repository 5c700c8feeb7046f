"""What the user set for this plugin in the preferences of napari."""

from __future__ import annotations

from typing import Any


def preview_interval() -> float:
    """Return the seconds between two live images."""
    return float(_read("preview", "interval", 2.0))


def device() -> str:
    """Return the device to begin with."""
    return str(_read("compute", "device", "auto"))


def keeps_unfinished() -> bool:
    """Return whether what a run learns is kept in case its window is closed."""
    return bool(_read("runs", "keep", True))


def remembers() -> bool:
    """Return whether a dock begins with the settings of the last run."""
    return bool(_read("runs", "remember", True))


def _read(section: str, name: str, default: Any) -> Any:
    """Return a setting, or ``default`` where napari is too old to keep it."""
    try:
        from napari.settings import get_plugin_settings

        settings = get_plugin_settings("napari-selfsup-recon")
        return getattr(getattr(settings, section), name)
    except (ImportError, AttributeError, KeyError):
        return default
