"""Results read from JSON: frozen dataclasses by their annotations, every fault collected with its key."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from codesign.design import Schedule, Size, Sizes, Table
from codesign.errors import Fault, nearest, written
from codesign.workload import Assignment


class Reader:
    """Builds frozen data from JSON types, collecting every fault; None where one was found."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self.file, self.faults = file, faults

    def fault(self, key: str, value: Any, expected: str, near: str | None = None) -> None:
        shown = value if isinstance(value, str | int | float | None) else type(value).__name__
        self.faults.append(Fault(self.file, key, shown, expected, near))

    def expect(self, value: Any, expected: Any, key: str) -> None:
        if value != expected:
            self.fault(key, written(value), repr(expected))

    def read(self, kind: Any, value: Any, key: str) -> Any:
        """Return `value` as `kind`, one of the types that results are made of."""
        special: dict[Any, Callable[[Any, str], Any]] = {
            Table: self._table,
            Sizes: lambda value, key: Sizes(self.read(Mapping[str, Size], value, key) or {}),
            Schedule: lambda value, key: Schedule(self.read(tuple[Assignment, ...], value, key) or ()),
        }
        if kind in special:
            return special[kind](value, key)
        if is_dataclass(kind):
            return self._record(kind, value, key)
        origin, of = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            (inner,) = (each for each in of if each is not type(None))
            return None if value is None else self.read(inner, value, key)
        if origin is tuple:
            return self._tuple(of, value, key)
        if origin is not None and issubclass(origin, Mapping):
            return self._mapping(of[1], value, key)
        return self._scalar(kind, value, key)

    def _record(self, kind: Any, value: Any, key: str) -> Any:
        if not isinstance(value, dict):
            return self.fault(key, written(value), "an object")
        before, hints = len(self.faults), get_type_hints(kind)
        own = {each.name: each for each in fields(kind)}
        for name in value.keys() - own.keys():
            self.fault(_join(key, name), written(value[name]), "no such key", nearest(name, own))
        made = {}
        for name, each in own.items():
            if name in value:
                made[name] = self.read(hints[name], value[name], _join(key, name))
            elif each.default is MISSING and each.default_factory is MISSING:
                self.fault(_join(key, name), "missing", "a value")
        return kind(**made) if len(self.faults) == before else None

    def _tuple(self, of: tuple[Any, ...], value: Any, key: str) -> Any:
        if not isinstance(value, list):
            return self.fault(key, written(value), "a list")
        kinds = [of[0]] * len(value) if of[-1] is Ellipsis else list(of)
        if len(kinds) != len(value):
            return self.fault(key, written(value), f"a list of {len(kinds)}")
        return tuple(
            self.read(of_entry, entry, f"{key}.{i}")
            for i, (of_entry, entry) in enumerate(zip(kinds, value, strict=True))
        )

    def _mapping(self, kind: Any, value: Any, key: str) -> Any:
        if not isinstance(value, dict):
            return self.fault(key, written(value), "an object")
        return {name: self.read(kind, entry, _join(key, name)) for name, entry in value.items()}

    def _table(self, value: Any, key: str) -> Any:
        if not isinstance(value, dict):
            return self.fault(key, written(value), "an object of columns")
        for name, column in value.items():
            texts = isinstance(column, list) and all(isinstance(entry, str) for entry in column)
            numbers = isinstance(column, list) and all(_is_number(entry) for entry in column)
            if not (texts or numbers):
                return self.fault(_join(key, name), column, "a list of numbers, or of texts")
        if len({len(column) for column in value.values()}) > 1:
            return self.fault(key, "columns of unequal length", "columns of one length")
        return Table(value)

    def _scalar(self, kind: Any, value: Any, key: str) -> Any:
        if kind is float and _is_number(value):
            return float(value)
        if kind is int and isinstance(value, int) and not isinstance(value, bool):
            return value
        if kind in (str, bool) and isinstance(value, kind):
            return value
        if isinstance(kind, type) and issubclass(kind, Enum):
            if value in [member.value for member in kind]:
                return kind(value)
            return self.fault(key, written(value), f"one of {', '.join(member.value for member in kind)}")
        expected = {float: "a finite number", int: "a whole number", bool: "true or false"}
        return self.fault(key, written(value), expected.get(kind, "a text"))


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, float) and math.isfinite(value)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
