"""Dotted paths into plain data: `jobs.pretrain.count`, `days.0.weight_days`, `cards.rack."a.b".om_pu`.

A list is entered by index; a key in an imperial unit replaces the metric one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from codesign.errors import Fault, nearest, written
from codesign.reading import bound_faults
from codesign.units import metric

_PART = re.compile(r'"([^"]*)"|([^."]+)')
FILE = "--set"


def parts(path: str) -> list[str] | None:
    """Return the parts of a path, None where it is not one."""
    found = list(_PART.finditer(path))
    whole = ".".join(match.group(0) for match in found)
    return [match.group(1) or match.group(2) or "" for match in found] if found and whole == path else None


def apply(data: dict[str, Any], changed: Mapping[str, Any]) -> list[Fault]:
    """Change plain data in place; return the paths that lead nowhere and the values out of bounds."""
    found: list[Fault] = []
    for path, value in changed.items():
        names = parts(path) if isinstance(path, str) and len(path) <= 500 else None
        if names is None or len(names) > 10:
            found.append(Fault(FILE, str(path)[:80], written(value), "names with dots between them", None))
            continue
        value = value.tolist() if hasattr(value, "tolist") else value  # of NumPy
        over = list(bound_faults(value, FILE))
        found += over[:1] or _set(data, names, path, deepcopy(value))
    return found


def _set(data: dict[str, Any], names: list[str], path: str, value: Any) -> list[Fault]:
    here: Any = data
    for depth, name in enumerate(names):
        last = depth == len(names) - 1
        if isinstance(here, list):
            if not (name.isascii() and name.isdigit() and len(name) < 9 and int(name) < len(here)):
                expected = (
                    f"an index from 0 to {len(here) - 1}" if here else "a path of the site; the list is empty"
                )
                return [Fault(FILE, path, written(name), expected, None)]
            if last:
                here[int(name)] = value
            else:
                here = here[int(name)]
        elif isinstance(here, dict):
            if last:
                other = None if name in here else metric(name, here)
                if other is not None:
                    del here[other[0]]
                here[name] = value
            elif name in here:
                here = here[name]
            elif names[0] == "cards":
                here = here.setdefault(name, {})
            else:
                return [Fault(FILE, path, written(name), "a path of the site", nearest(name, here))]
        else:
            expected = "a path of the site; a value has nothing below it"
            return [Fault(FILE, path, written(name), expected, None)]
    return []
