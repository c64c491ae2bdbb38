"""Co-design of the power, cooling and schedule of a data centre for AI training.

site = codesign.load("instances/toy_1mw"); design = codesign.solve(site); print(design)

Everything is loaded when it is first used: importing the package loads no solver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from codesign.auditing import audit as audit
    from codesign.catalogue import card as card
    from codesign.catalogue import cards as cards
    from codesign.checking import check as check
    from codesign.design import Audit as Audit
    from codesign.design import Check as Check
    from codesign.design import Design as Design
    from codesign.design import Outcome as Outcome
    from codesign.design import Plan as Plan
    from codesign.errors import CodesignError as CodesignError
    from codesign.errors import InputError as InputError
    from codesign.errors import SolverError as SolverError
    from codesign.planning import plan as plan
    from codesign.refining import solve as solve
    from codesign.reporting import report as report
    from codesign.site import Site as Site
    from codesign.site import load as load

_HOMES = {
    "Site": "site", "load": "site", "cards": "catalogue", "card": "catalogue",
    "plan": "planning", "check": "checking", "solve": "refining", "audit": "auditing",
    "report": "reporting",
    "Plan": "design", "Check": "design", "Design": "design", "Audit": "design", "Outcome": "design",
    "CodesignError": "errors", "InputError": "errors", "SolverError": "errors",
}  # fmt: skip

__all__ = [  # noqa: RUF022  nouns, verbs, errors
    "Site", "Plan", "Check", "Design", "Audit", "Outcome",
    "load", "plan", "check", "solve", "audit", "report", "cards", "card",
    "CodesignError", "InputError", "SolverError",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("codesign-dc")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})
