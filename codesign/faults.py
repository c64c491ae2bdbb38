"""What pydantic found wrong, as faults: dotted key, value, what was expected and in which unit, nearest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from codesign.errors import Fault, nearest, written
from codesign.fields import LIST, RANGE
from codesign.toml import key as toml_key
from codesign.units import unit

EXPECTED = {
    "model_type": "a table", "model_attributes_type": "a table", "dict_type": "a table",
    "tuple_type": "a list", "string_type": "a text", "bool_type": "true or false", "missing": "a value",
    "string_pattern_mismatch": "a letter, then letters, digits, '_' and '-', at most 64",
}  # fmt: skip
SKIPPED = (LIST, RANGE, "[key]")


def dotted(place: Iterable[Any]) -> str:
    """Return a place in a site as a dotted key."""
    return ".".join(toml_key(str(part)) for part in place)


def faults(
    error: ValidationError,
    model: type[BaseModel],
    file: str,
    within: tuple[Any, ...] = (),
    renamed: Mapping[tuple[str, ...], str] | None = None,
) -> list[Fault]:
    """Return the faults of a validation; `renamed` says what converted places were called."""
    made = []
    for each in error.errors(include_url=False):
        place = tuple(part for part in each["loc"] if part not in SKIPPED)
        expected, near, value = _expected(each), None, written(each["input"])
        if inner := each.get("ctx", {}).get("key"):
            place, value = (*place, inner), value.get(inner, "missing")
        key = dotted((*within, *place))
        here = _model_at(model, place[:-1])
        if each["type"] == "extra_forbidden":
            known = list(here.model_fields)
            near = nearest(str(place[-1]), known)
            expected = f"one of the keys {', '.join(known)}"
            value = _kind(each["input"])  # a key that is not ours may hold what nobody should read in a log
        elif each["type"] == "missing":
            value = "missing"
        name = next((part for part in reversed((*within, *place)) if isinstance(part, str)), "")
        if each["type"] != "extra_forbidden" and unit(name):
            expected += f" [{unit(name)}]"
        names = tuple(part for part in (*within, *place) if isinstance(part, str))
        if original := (renamed or {}).get(names):
            key, expected = dotted((*within, *place[: place.index(name)], original)), f"{expected} as {name}"
        made.append(Fault(file, key, value, expected, near))
    return made


def _kind(value: Any) -> str:
    """Return what an unknown key holds, without telling it."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return "a text" if isinstance(value, str) else "a value"


def _expected(error: Any) -> str:
    context = error.get("ctx") or {}
    if error["type"] == "expected":
        return str(context["expected"])
    if error["type"] in ("too_short", "too_long"):
        bound = "at least" if error["type"] == "too_short" else "at most"
        number = context.get("min_length" if error["type"] == "too_short" else "max_length")
        return f"{bound} {number} {'entry' if number == 1 else 'entries'}"
    if error["type"] in EXPECTED:
        return EXPECTED[error["type"]]
    return str(context.get("expected") or error["msg"].removeprefix("Input should be "))


def keys_at(model: type[BaseModel], place: Iterable[Any]) -> tuple[str, ...]:
    """Return the keys that a table at a place may have."""
    return tuple(_model_at(model, place).model_fields)


def _model_at(model: type[BaseModel], place: Iterable[Any]) -> type[BaseModel]:
    """Return the model whose keys stand at a place."""
    for part in place:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        inner = _inner(field.annotation) if field is not None else None
        model = inner or model
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation, the first of several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_inner(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)
