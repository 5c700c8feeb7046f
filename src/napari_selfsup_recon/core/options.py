"""Base of all options models. Widgets, files and scripts are made from these fields."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Frozen, typed, ranged options in plain words.

    The form in the window is built from the fields: ``title`` is the label, ``description`` the
    tooltip, ``ge``/``le`` the range, ``Literal`` the choices. ``json_schema_extra`` may hold
    ``unit`` (text behind the value) and ``advanced`` (folded away at first). See :func:`option`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def option(
    default: Any,
    *,
    title: str,
    description: str,
    unit: str = "",
    advanced: bool = False,
    **limits: Any,
) -> Any:
    """Return a pydantic field with the facts a form needs."""
    return Field(
        default,
        title=title,
        description=description,
        json_schema_extra={"unit": unit, "advanced": advanced},
        **limits,
    )
