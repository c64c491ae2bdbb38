"""TOML out: tables, lists of tables, lists, texts, numbers; `tomllib` reads it back to the same values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(table: Mapping[str, Any]) -> str:
    """Return a table as TOML; floats by repr, which reads back exactly."""
    return "\n".join(_lines(table, ())) + "\n"


def key(name: str) -> str:
    """Return a key as TOML writes it."""
    return name if _BARE.fullmatch(name) else _text(name)


def _lines(table: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    """Yield the plain keys first, then the tables below."""
    below = {name: value for name, value in table.items() if _is_table(value) or _is_tables(value)}
    for name, value in table.items():
        if name not in below:
            yield f"{key(name)} = {_value(value)}"
    for name, value in below.items():
        here = (*place, name)
        head = ".".join(map(key, here))
        if _is_table(value):
            if not value or any(not _is_table(each) for each in value.values()):
                yield f"\n[{head}]"
            yield from _lines(value, here)
        else:
            for each in value:
                yield f"\n[[{head}]]"
                yield from _lines(each, here)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(_is_table(each) for each in value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
