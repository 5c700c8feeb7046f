"""Registry of "module:Class" strings: nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from napari_selfsup_recon.core.errors import InputError


def load_object(path: str) -> Any:
    """Import ``"package.module:Name"`` and return the object."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Entry:
    """One method as the user meets it, before anything of it is imported.

    Attributes
    ----------
    key
        Name on the command line and in files, for example ``"ssi"``.
    label
        Name in the window.
    summary
        One plain sentence: best for.
    needs
        One plain sentence: what must be given.
    tasks
        Tasks it can be picked for (``"deconvolve"``, ``"denoise"``, ``"reconstruct"``).
    learned
        True where it trains a network on the measurement.
    method, options
        ``"module:Class"`` of the method (may import torch) and of its options (must not).
    clean
        Whether it learns from clean examples, too, which must then be given.
    companions
        Names of what it makes beside a result that other learned methods do not.
    """

    key: str
    label: str
    summary: str
    needs: str
    tasks: tuple[str, ...]
    learned: bool
    method: str
    options: str
    clean: bool = False
    companions: tuple[str, ...] = ()

    def load_method(self) -> Any:
        """Import and return the method class."""
        return load_object(self.method)

    def load_options(self) -> Any:
        """Import and return the options model."""
        return load_object(self.options)


class Registry(Mapping[str, Entry]):
    """Entries by key, in the order in which users see them."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self._entries = {entry.key: entry for entry in entries}

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def find(self, key: str) -> Entry:
        """Return the entry called ``key`` or raise :class:`InputError` naming the others."""
        if key not in self._entries:
            raise InputError(
                f"There is no method called {key!r}.", hint=f"Choose from {', '.join(self)}."
            )
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def for_task(self, task: str, *, learned: bool | None = None) -> tuple[Entry, ...]:
        """Return the entries that serve ``task``, optionally only (un)learned ones."""
        return tuple(
            entry
            for entry in self._entries.values()
            if task in entry.tasks and learned in (None, entry.learned)
        )
