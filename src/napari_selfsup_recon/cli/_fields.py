"""Flags from the fields of options models."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.runs.words import validate

_PREFIX = "option:"
_FACT = "fact:"


def add_facts(
    group: Any,
    model: type[BaseModel],
    what: str,
    names: Mapping[str, str] | None = None,
    *,
    skip: Collection[str] = (),
) -> None:
    """Add a flag for each field of a model that describes ``what`` (not a method).

    Parameters
    ----------
    group
        Argument group.
    model
        Class of the options.
    what
        Under this name :func:`given_facts` finds them again.
    names
        Flags of fields that would say too little by themselves.
    skip
        Fields that get no flag here.
    """
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        flag = (names or {}).get(name, name)
        _add(group, flag, field, dest=f"{_FACT}{what}:{name}")


def given_facts(arguments: argparse.Namespace, what: str) -> dict[str, Any]:
    """Return what the flags of :func:`add_facts` say, as it was typed."""
    start = f"{_FACT}{what}:"
    return {
        key.removeprefix(start): value
        for key, value in vars(arguments).items()
        if key.startswith(start)
    }


def add_fields(parser: argparse.ArgumentParser, entries: Iterable[Entry]) -> None:
    """Add a flag for each option of each method; one that several methods have is added once."""
    taken: set[str] = set()
    for entry in entries:
        group = parser.add_argument_group(f"options of {entry.label}")
        for name, field in entry.load_options().model_fields.items():
            if name not in taken:
                taken.add(name)
                _add(group, name, field)


def _add(group: Any, name: str, field: FieldInfo, dest: str = "") -> None:
    flag = f"--{name.replace('_', '-')}"
    common = {
        "dest": dest or _PREFIX + name,
        "default": argparse.SUPPRESS,
        "help": _help(field).replace("%", "%%"),
    }
    if field.annotation is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
    else:
        group.add_argument(flag, metavar=_metavar(field.annotation), **common)


def given_options(arguments: argparse.Namespace, entry: Entry, prefix: str = "") -> dict[str, Any]:
    """Return the options of one method that the arguments set, as they were typed.

    ``--set`` counts more than flags; of its pairs those are taken whose key begins with ``prefix``,
    or has no prefix where that is empty.

    Raises
    ------
    InputError
        If ``--set`` is not written as key=value.
    """
    model = entry.load_options()
    raw = {
        key.removeprefix(_PREFIX): value
        for key, value in vars(arguments).items()
        if key.startswith(_PREFIX) and key.removeprefix(_PREFIX) in model.model_fields
    }
    for pair in arguments.set:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair} has no value.", hint="Write --set key=value.")
        head, dot, tail = key.partition(".")
        if (head == prefix and dot) or (not prefix and not dot):
            raw[(tail if prefix else key).replace("-", "_")] = value
        elif dot and head != "baseline":
            raise InputError(
                f"--set {pair}: there is no {head!r}.",
                hint="Write key=value or baseline.key=value.",
            )
    return raw


def canonical(entry: Entry, values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` as the options model of the method reads them, JSON-safe."""
    done = read_typed(entry.load_options(), values, where=entry.label)
    kept: dict[str, Any] = done.model_dump(mode="json", include=set(values))
    return kept


def read_typed(model: type[BaseModel], values: dict[str, Any], *, where: str) -> Any:
    """Return ``model(**values)`` from values as they were typed; none means None where it may.

    Raises
    ------
    InputError
        If a value is not allowed.
    """
    typed = {key: _typed(value, model.model_fields.get(key)) for key, value in values.items()}
    return validate(model, typed, where=where)


def _typed(value: Any, field: FieldInfo | None) -> Any:
    kinds = _kinds(field.annotation) if field is not None else []
    if value == "none" and NoneType in kinds:
        return None
    if isinstance(value, str) and float in kinds:
        try:
            return float(value)
        except ValueError:  # for the model to complain about
            return value
    return value


def _metavar(annotation: Any) -> str:
    """Return ``{a,b}`` for words, ``N``, ``X|auto`` and the like for what may be a number."""
    kinds = _kinds(annotation)
    if kinds and all(isinstance(kind, str) for kind in kinds):
        return "{" + ",".join(kinds) + "}"
    names: dict[Any, str] = {int: "N", float: "X", str: "TEXT", bool: "YES|NO", NoneType: "none"}
    words = [kind if isinstance(kind, str) else names.get(kind, "VALUE") for kind in kinds]
    # Numbers first: what is special comes after what is usual.
    return "|".join(sorted(dict.fromkeys(words), key=lambda word: not word.isupper()))


def _kinds(annotation: Any) -> list[Any]:
    """Return the types that a union is made of; literals are replaced by their values."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    if origin is Literal:
        return list(get_args(annotation))
    return _kinds(get_args(annotation)[0]) if origin is Annotated else [annotation]


def _help(field: FieldInfo) -> str:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = f" {extra['unit']}" if extra.get("unit") else ""
    default = "none" if field.default is None else f"{field.default}{unit}"
    return f"{field.description} (default: {default})"


def option_lines(model: type[BaseModel]) -> list[str]:
    """Return one line an option: flag, kind of value, what it does."""
    rows = []
    for name, field in model.model_fields.items():
        kind = "YES|NO" if field.annotation is bool else _metavar(field.annotation)
        rows.append((f"--{name.replace('_', '-')}", kind, _help(field)))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{a.ljust(widths[0])}  {b.ljust(widths[1])}  {text}" for a, b, text in rows]
