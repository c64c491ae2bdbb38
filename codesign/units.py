"""Units at the file boundary: the suffix of a key is its unit; imperial suffixes are converted here, once.

    _ton   refrigeration ton   3.516852842 kW                              -> _kw
    _gpm   US gallon a minute  3.785411784 l/min                           -> _l_per_min
                               0.0625855 kg/s of water at 992 kg/m3        -> _kg_per_s
    _f     degree Fahrenheit   (F - 32) / 1.8 degC                         -> _c
    _psi   pound a square inch 6.894757293 kPa                             -> _kpa
    _ft    foot                0.3048 m                                    -> _m

Factors: NIST SP 811 (2008), appendix B. `_per_ton` and the like are the inverse: USD/ton -> USD/kW.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from operator import mul
from typing import Any

WATER_KG_PER_L = 0.992
L_PER_GALLON = 3.785411784

Place = tuple[str, ...]

FACTORS: dict[str, tuple[tuple[str, float], ...]] = {
    "_ton": (("_kw", 3.516852842),),
    "_gpm": (("_l_per_min", L_PER_GALLON), ("_kg_per_s", L_PER_GALLON * WATER_KG_PER_L / 60.0)),
    "_psi": (("_kpa", 6.894757293),),
    "_ft": (("_m", 0.3048),),
}

SPELLED = {
    "c": "degC", "k": "K", "s": "s", "h": "h", "min": "min", "m": "m", "m3": "m3", "mw": "MW", "mwh": "MWh",
    "kw": "kW", "kg_per_s": "kg/s", "l_per_min": "l/min", "hz": "Hz", "pu": "per unit", "years": "years",
    "days": "days", "usd_per_mwh": "USD/MWh", "usd_per_mw_month": "USD/MW and month",
    "usd_per_mw_year": "USD/MW and year", "percent": "per cent",
}  # fmt: skip


def unit(key: str) -> str:
    """Return the unit that a key's suffix spells, "" when it has none."""
    fitting = [suffix for suffix in SPELLED if key.endswith(f"_{suffix}")]
    return SPELLED[max(fitting, key=len)] if fitting else ""


def metric(key: str, known: Container[str]) -> tuple[str, Callable[[Any], Any]] | None:
    """Return the known metric key that an imperial one stands for, and the conversion; None if none."""
    if key.endswith("_f") and f"{key[:-2]}_c" in known:
        return f"{key[:-2]}_c", _everywhere(lambda value: (value - 32.0) / 1.8)
    for suffix, meanings in FACTORS.items():
        stem, inverse = key.removesuffix(suffix), key.endswith(f"_per{suffix}")
        for ending, factor in meanings if stem != key else ():
            if f"{stem}{ending}" in known:
                return f"{stem}{ending}", _everywhere(partial(mul, 1.0 / factor if inverse else factor))
    return None


def spelled_metric(
    data: Any, known: Callable[[Place], Container[str]], place: Place = ()
) -> tuple[Any, dict[Place, str]]:
    """Return plain data with every imperial key converted, and what each converted place was called.

    `known` gives the keys that a table at a place may have. A key that stands in both units keeps both names:
    the imperial one is then unknown.
    """
    if isinstance(data, list):
        pairs = [spelled_metric(each, known, place) for each in data]
        return [each for each, _ in pairs], {k: v for _, names in pairs for k, v in names.items()}
    if not isinstance(data, dict):
        return data, {}
    made: dict[str, Any] = {}
    renamed: dict[Place, str] = {}
    keys = known(place)
    for key, value in data.items():
        other = None if key in keys else metric(key, keys)
        if other is not None and other[0] not in data:
            made[other[0]] = other[1](value)
            renamed[(*place, other[0])] = key
        else:
            made[key], below = spelled_metric(value, known, (*place, key))
            renamed |= below
    return made, renamed


def _everywhere(convert: Callable[[float], float]) -> Callable[[Any], Any]:
    """Return a conversion of a number, of each number of a list, or of each value of a table."""

    def apply(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [apply(each) for each in value]
        if isinstance(value, dict):
            return {key: apply(each) for key, each in value.items()}
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
            return value
        return convert(float(value))

    return apply
