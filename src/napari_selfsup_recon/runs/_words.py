"""Validation errors in the user's words."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from napari_selfsup_recon.core.errors import InputError


def as_input_error(
    error: ValidationError, model: type[BaseModel], *, where: str = ""
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
    """
    sentences = [_sentence(dict(item), model) for item in error.errors(include_url=False)]
    message = " ".join(sentences)
    return InputError(f"{where}: {message}" if where else message, hint=_hint(error, model))


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


def _sentence(item: dict[str, Any], model: type[BaseModel]) -> str:
    path = [str(part) for part in item["loc"]]
    name = ".".join(path) or model.__name__
    if item["type"] == "extra_forbidden":
        return f"There is no option {name!r}."
    field = model.model_fields.get(path[0]) if path else None
    title = f"{field.title} ({name})" if field is not None and field.title else name
    problem = str(item["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    if problem != item["msg"] and not item["msg"].startswith("Value error"):
        problem = f"should be {problem}"
    joint = "; it " if problem.startswith("should") else ": "
    return f"{title} is {item['input']!r}{joint}{problem}."


def _hint(error: ValidationError, model: type[BaseModel]) -> str:
    if any(item["type"] == "extra_forbidden" for item in error.errors(include_url=False)):
        return f"Choose from {', '.join(model.model_fields)}."
    return "Correct the value and try again."
