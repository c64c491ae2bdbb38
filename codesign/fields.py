"""Building blocks of the site's schema: bounded numbers that say what they expect, read-only tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)  # fmt: skip
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

K = TypeVar("K")
V = TypeVar("V")

MAX_LIST = 10_000
MAX_COUNT = 1_000_000
NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
RANGE, LIST = "<range>", "<list>"
"""Tags of the two forms of an amount; no key of a file."""


def refusal(expected: str, key: str | None = None) -> PydanticCustomError:
    """Return the error of a value, by what was expected instead; of a table: of one of its keys."""
    return PydanticCustomError("expected", "{expected}", {"expected": expected, "key": key})


class Model(BaseModel):
    """A section of the site file: frozen, no key but its own."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True,
        hide_input_in_errors=True, use_attribute_docstrings=True,
    )  # fmt: skip


class FrozenDict(dict[K, V]):
    """A dict that nothing changes after it is made."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a site is read-only; use site.with_({...})")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> Any:
        return FrozenDict, (dict(self),)


@dataclass(frozen=True, slots=True)
class In:
    """A finite number from low to high; above: low itself is out. Whole numbers where the type is int."""

    low: float
    high: float
    above: bool = False

    def __str__(self) -> str:
        return f"{'above' if self.above else 'from'} {self.low:g} to {self.high:g}"

    def holds(self, value: float) -> bool:
        """Return whether a number is within."""
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        whole = source is int

        def check(value: Any) -> Any:
            good = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            if not good or not self.holds(value):
                raise refusal(f"a {'whole ' if whole else ''}number {self}")
            return value if whole else float(value)

        return core_schema.no_info_before_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        made = handler(schema)
        low = {"exclusiveMinimum" if self.above else "minimum": self.low}
        return {**made, **low, "maximum": self.high}


def _once(values: tuple[V, ...]) -> tuple[V, ...]:
    if len(set(values)) != len(values):
        raise refusal("no entry twice")
    return values


def _date(value: Any) -> Any:
    """Return a date's text; TOML knows dates of its own."""
    text = value.isoformat() if type(value) is dt.date else value
    try:
        good = isinstance(text, str) and 1970 <= dt.date.fromisoformat(text).year <= 2200 and len(text) == 10
    except ValueError:
        good = False
    if not good:
        expected = "a date such as 2023-08-18, from 1970 to 2200"
        raise refusal(expected)
    return text


def kind(value: Any) -> str:
    """Return which form of an amount a value has."""
    return RANGE if isinstance(value, dict | Range) else LIST


class Range(Model):
    """Anywhere between two numbers."""

    min: Annotated[float, In(0, 1e9)]
    max: Annotated[float, In(0, 1e9)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise refusal("min at most max")
        return self


@dataclass(frozen=True, slots=True)
class Within:
    """Validator of a range: both ends within bounds."""

    bounds: In

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: Range) -> Range:
            if not self.bounds.holds(value.min) or not self.bounds.holds(value.max):
                raise refusal(f"min and max {self.bounds}")
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))


Options = Annotated[tuple[V, ...], Field(min_length=1, max_length=MAX_LIST), AfterValidator(_once)]
"""A list to choose from."""

Text = Annotated[str, Field(max_length=200)]
Name = Annotated[str, Field(pattern=NAME)]
Path = Annotated[str, Field(min_length=1, max_length=500)]
Date = Annotated[str, BeforeValidator(_date)]
Cards = Options[Annotated[str, Field(min_length=1, max_length=100)]]
Count = Annotated[int, In(1, MAX_COUNT)]
Counts = Options[Count]
Share = Annotated[float, In(0, 1)]
Seconds = Annotated[float, In(0, 1e7, above=True)]
Wait = Annotated[float, In(0, 1e7)]
