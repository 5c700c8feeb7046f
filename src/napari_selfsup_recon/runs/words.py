"""Validation errors in the user's words."""

from __future__ import annotations

from itertools import groupby
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from napari_selfsup_recon.core.errors import InputError


def as_input_error(
    error: ValidationError, model: type[BaseModel], *, where: str = "", keys: bool = True
) -> InputError:
    """Return what a person can read: every wrong field by its title, value and limit.

    Parameters
    ----------
    error
        What pydantic raised.
    model
        The model that was validated.
    where
        What was being read, for example a file or a method; begins the message.
    keys
        Whether fields are called by their keys, too: people who look at a form see titles only.
    """
    found = [(_located(item["loc"], model), dict(item)) for item in error.errors(include_url=False)]
    message = " ".join(
        _sentence(name, field, [item for _, item in items], keys)
        for (name, field), items in (
            (place, list(items)) for place, items in groupby(found, key=lambda pair: pair[0])
        )
    )
    hint = _hint(error, model) if keys else ""  # beside the field it says nothing new
    return InputError(f"{where}: {message}" if where else message, hint=hint)


def validate(model: type[BaseModel], values: dict[str, Any], *, where: str) -> Any:
    """Return ``model(**values)``.

    Raises
    ------
    InputError
        In the user's words, if a value is not allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise as_input_error(error, model, where=where) from error


def _located(
    location: tuple[str | int, ...], model: type[BaseModel]
) -> tuple[str, FieldInfo | None]:
    """Return the dotted name of a field and the field; what is inside of its value is left out."""
    names: list[str] = []
    field: FieldInfo | None = None
    inner: type[BaseModel] | None = model
    for part in map(str, location):
        if inner is None:
            break
        names.append(part)
        field = inner.model_fields.get(part)
        inner = _model_in(field.annotation) if field is not None else None
    return ".".join(names) or model.__name__, field


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, or may hold."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _sentence(name: str, field: FieldInfo | None, items: list[dict[str, Any]], keys: bool) -> str:
    """Return one sentence about one field; several items are the members of a union."""
    item = items[0]
    if item["type"] == "extra_forbidden":
        return f"There is no option {name!r}."
    title = field.title if field is not None and field.title else ""
    what = (f"{title} ({name})" if keys else title) if title else name
    said = [str(one["msg"]) for one in items]
    if said[0].startswith("Value error, "):
        return f"{what} is {item['input']!r}: {said[0].removeprefix('Value error, ')}."
    wanted = [text.removeprefix("Input should be ") for text in said]
    joint = "; it should be " if wanted[0] != said[0] else ": "
    return f"{what} is {item['input']!r}{joint}{' or '.join(dict.fromkeys(wanted))}."


def _hint(error: ValidationError, model: type[BaseModel]) -> str:
    if any(item["type"] == "extra_forbidden" for item in error.errors(include_url=False)):
        return f"Choose from {', '.join(model.model_fields)}."
    return "Correct the value and try again."
