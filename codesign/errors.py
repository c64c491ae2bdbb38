"""What can go wrong, as one hierarchy.

    CodesignError
    |-- InputError (ValueError)       what the user wrote is wrong; carries every Fault found  (exit code 1)
    |-- SolverError (RuntimeError)    a solver did not answer as it must; no number is read from it  (exit 70)
    `-- StoppedError (RuntimeError)   time is up or the user asked to stop; whoever keeps the best catches it

Infeasible, not certified and out of time are outcomes of a run, not errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesign.design import Outcome

SHOWN_CHARACTERS = 120
SHOWN_FAULTS = 50


class CodesignError(Exception):
    """Base of every error that this package raises on purpose."""


class Written(str):
    """A text as the user wrote it: told with its quotes, unlike what is said of a value."""

    __slots__ = ()


def written(value: Any) -> Any:
    """Return a value as the user wrote it: a text is told with its quotes."""
    return Written(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: where, what stands there, what was expected, and the nearest valid name."""

    file: str
    key: str
    value: Any
    expected: str
    nearest: str | None = None

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, _short(self.key)) if part)
        if isinstance(self.value, Written):
            shown = f'"{_short(self.value)}"'
        else:
            shown = _short(self.value if isinstance(self.value, str) else _represented(self.value))
        hint = f" (nearest: {_short(self.nearest)})" if self.nearest else ""
        text = f"{place} = {shown}: expected {self.expected}{hint}"
        return "".join(each if each.isprintable() else "?" for each in text)


class InputError(CodesignError, ValueError):
    """Wrong input: all faults at once, in `faults`."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults[:SHOWN_FAULTS]]
        if len(self.faults) > SHOWN_FAULTS:
            lines.append(f"and {len(self.faults) - SHOWN_FAULTS} more")
        return "\n".join(lines)


class SolverError(CodesignError, RuntimeError):
    """A solver's answer that must not be read as a result."""


class StoppedError(CodesignError, RuntimeError):
    """Time is up, or the user asked to stop; `outcome` says which (`codesign.stopping`)."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


def nearest(name: str, options: Iterable[str]) -> str | None:
    """Return the option most like a name, None when nothing is."""
    found = get_close_matches(str(name)[:200], [str(option) for option in options], n=1, cutoff=0.6)
    return found[0] if found else None


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def _represented(value: Any) -> str:
    """Return repr(value), without writing out what nobody would read."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return "a whole number of more than 75 digits"
    if isinstance(value, dict | list | tuple) and len(value) > 10:
        return f"{len(value)} entries"
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return type(value).__name__
