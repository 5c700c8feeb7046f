"""Mistakes in options, in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.runs.words import validate


class Inner(Options):
    """Something nested."""

    wave: float = option(500.0, gt=0, title="Wavelength", description="Of light.")

    @field_validator("wave")
    @classmethod
    def _nanometers(cls, value: float) -> float:
        if value < 1:
            raise ValueError("that looks like micrometers")
        return value


class Outer(Options):
    """Of each kind one."""

    count: Annotated[int, Field(ge=1)] | Literal["auto"] = option(
        "auto", title="Count", description="How many."
    )
    inner: Inner | None = option(None, title="Inner", description="Nested.")
    pair: tuple[float, ...] = option((1.0,), title="Pair", description="Numbers.")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "Count (count) is 0; it should be greater than or equal to 1 or 'auto'."),
        ({"count": "x"}, "Count (count) is 'x'; it should be a valid integer"),
        ({"inner": {"wave": -1}}, "Wavelength (inner.wave) is -1; it should be greater than 0."),
        ({"inner": {"wave": 0.5}}, "Wavelength (inner.wave) is 0.5: that looks like micrometers."),
        ({"pair": ["a", "b"]}, "Pair (pair) is 'a'; it should be a valid number"),
        ({"inner": {"x": 1}}, "There is no option 'inner.x'."),
        ({"cuont": 1}, "There is no option 'cuont'. Choose from count, inner, pair."),
    ],
)
def test_every_mistake_is_one_sentence(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(Outer, values, where="here")
    assert str(caught.value).startswith(f"here: {message}")
    assert str(caught.value).count(" is ") <= 1


def test_good_values_come_back_typed() -> None:
    assert validate(Outer, {"count": "3"}, where="").count == 3
    assert validate(Outer, {"count": "auto"}, where="").count == "auto"
