"""Names that are imported on first use (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def attach(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` that import names on first use.

    Parameters
    ----------
    package
        Name of the package that hands the names on (its ``__name__``).
    names
        Public name to the module that defines it, relative (``".blur"``) or absolute. A name whose
        module ends in it (``"psf": ".psf"``) stands for that module itself.

    Returns
    -------
    tuple
        The functions to bind to ``__getattr__`` and ``__dir__`` of the package.
    """

    def __getattr__(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        target = names[name]
        module = import_module(target, package)
        return module if target.rpartition(".")[2] == name else getattr(module, name)

    def __dir__() -> list[str]:
        return sorted(names)

    return __getattr__, __dir__
