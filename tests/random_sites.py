"""Site folders drawn at random over the whole schema: weather, altitude, prices, cards, jobs, rule, clocks.

    write(seed, folder)   site.toml, weather.csv, price.csv and, for some jobs, a profile; the same for a seed

Most of a site is ordinary, so that a design often exists; up to two of its parts (WILD) reach to the ends of
what may be written. A small share is wrong on purpose (a medium that does not fit, a window too short).
"""

from __future__ import annotations

import datetime as dt
import math
import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codesign import toml

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
BASE = ROOT / "tests" / "data" / "tiny" / "site.toml"
WILD = ("weather", "altitude", "prices", "cards", "menus", "grid", "jobs", "water", "scenarios")
RACK_KW, LIQUID_PU = 133.0, 0.88
Draw = random.Random
Tables = dict[str, Any]


def cards(component: str) -> Tables:
    """The cards of a component as they are written."""
    return tomllib.loads((MODELS / f"{component}.toml").read_text(encoding="utf-8"))


def write(seed: int, folder: Path) -> Path:
    """Write the site of a seed into a folder that exists, and return it."""
    draw = Draw(seed)
    wild = set(draw.sample(WILD, draw.choice((0, 0, 0, 1, 1, 2))))
    site: Tables = tomllib.loads(BASE.read_text(encoding="utf-8"))
    site["name"] = f"drawn-{seed}"
    racks = draw.choice((4, 6, 8, 8, 10, 12))
    _money(draw, site)
    dates = _days(draw, site)
    hot = _weather(draw, site, dates, wild, folder)
    _prices(draw, site, dates, wild, folder)
    _clock(draw, site)
    _jobs(draw, site, racks, wild, folder)
    _grid(draw, site, racks, wild)
    _equipment(draw, site, racks, wild, hot)
    _scenarios(draw, site, wild)
    if "cards" in wild or draw.random() < 0.15:
        _overrides(draw, site)
    site["solver"] = {
        "method": draw.choice(("joint", "joint", "split")),
        "gap": draw.choice((1e-4, 1e-3, 0.02)),
    }
    (folder / "site.toml").write_text(toml.dumps(site), encoding="utf-8")
    return folder


def _near(draw: Draw, low: float, high: float, digits: int = 2) -> float:
    return round(draw.uniform(low, high), digits)


# money, days, weather, prices


def _money(draw: Draw, site: Tables) -> None:
    site["finance"] = {
        "discount_rate": _near(draw, 0.0, 0.15, 3),
        "life_years": draw.choice((1, 7.5, 15, 25)),
        "currency_year": draw.randint(2018, 2026),
    }
    energy = site["energy"]
    energy["demand_charge_usd_per_mw_month"] = draw.choice((0, 2000, 8000, 20_000))
    energy["contract_charge_usd_per_mw_year"] = draw.choice((0, 60_000, 150_000))
    energy["metering_window_min"] = draw.choice((0.5, 5, 15, 15, 30, 60, 0.7))


def _days(draw: Draw, site: Tables) -> list[dt.date]:
    first = dt.date(draw.choice((2020, 2023, 2024)), draw.randint(1, 12), draw.randint(1, 28))
    weights = [[365], [365], [365, 0], [200, 165]][draw.randrange(4)]
    dates = [first + dt.timedelta(days=index) for index in range(len(weights))]
    site["days"] = [
        {"date": str(date), "weight_days": weight} for date, weight in zip(dates, weights, strict=True)
    ]
    return dates


def _stamps(dates: list[dt.date], step_min: int, spare_h: int) -> list[dt.datetime]:
    begin = dt.datetime.combine(dates[0], dt.time()) - dt.timedelta(hours=spare_h)
    minutes = (24 * len(dates) + 2 * spare_h) * 60
    return [begin + dt.timedelta(minutes=m) for m in range(0, minutes, step_min)]


def _weather(draw: Draw, site: Tables, dates: list[dt.date], wild: set[str], folder: Path) -> bool:
    """Dry bulbs from -40 to 55 degC; with "weather" a day may reach either end. Whether it is hot."""
    mean, swing = draw.choice((_near(draw, -8, 25), _near(draw, 25, 37))), _near(draw, 0, 6)
    if "weather" in wild:
        mean, swing = _near(draw, -40, 55), _near(draw, 0, 15)
    rows = ["time,dry_bulb_c,relative_humidity_percent"]
    for at in _stamps(dates, draw.choice(5 * (60, 60, 30, 15) + (180,)), 0):
        turn = 2 * math.pi * (at.hour + at.minute / 60 - 15) / 24
        dry_bulb = mean + swing * math.cos(turn) + draw.gauss(0, 0.3)
        rows.append(
            f"{at.isoformat(timespec='minutes')},{min(max(dry_bulb, -40), 55):.2f},{draw.randint(2, 100)}"
        )
    (folder / "weather.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    altitude_m = _near(draw, 0, 4500, 0) if "altitude" in wild else draw.choice((0, 142, 600, 1500))
    site["climate"] = {
        "series": "weather.csv", "utc_offset_h": draw.choice((-8, -5, 0, 1, 5.5, 9)),
        "altitude_m": altitude_m,
    }  # fmt: skip
    return mean + swing > 28.0


def _prices(draw: Draw, site: Tables, dates: list[dt.date], wild: set[str], folder: Path) -> None:
    """Prices from -200 to 5,000 USD/MWh; with "prices" spikes and whole days below zero."""
    mean = _near(draw, 20, 90)
    low, high, spikes = 0.0, 300.0, 0.0
    if "prices" in wild:
        mean, low, high, spikes = (
            draw.choice((-150.0, -20.0, 40.0, 900.0)),
            -200.0,
            5000.0,
            draw.choice((0, 0.2)),
        )
    rows = ["time,price_usd_per_mwh"]
    for at in _stamps(dates, draw.choice((60, 60, 15, 30)), 24):
        price = draw.uniform(low, high) if draw.random() < spikes else draw.gauss(mean, abs(mean) / 3)
        rows.append(f"{at.isoformat(timespec='minutes')},{min(max(price, -200), 5000):.2f}")
    (folder / "price.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    site["energy"] |= {"price_series": "price.csv", "utc_offset_h": draw.choice((-6, 0, 1))}


# clock, jobs, grid


def _clock(draw: Draw, site: Tables) -> None:
    step_s = draw.choice((1.0, 2.0, 2.0))
    site["clock"] = {
        "step_s": step_s, "cycle_s": 20.0,
        "offset_slot_s": draw.choice((2.0, 4.0, 10.0)) if step_s == 1 else 2.0,
        "macro_s": draw.choice((40.0, 60.0, 100.0)), "event_slot_s": 20.0,
        "hour_step_h": draw.choice((2, 4, 6, 6, 8, 12)),
    }  # fmt: skip


def _jobs(draw: Draw, site: Tables, racks: int, wild: set[str], folder: Path) -> None:
    """One or two jobs on one or two groups of pods; what is left of the racks is idle or off."""
    groups = draw.choice((1, 1, 2)) if racks > 4 else 1
    kind = draw.choice(("gb200-nvl72", "gb200-nvl72", "gb300-nvl72"))
    shares = [racks] if groups == 1 else [racks - 2, 2]
    site["pods"] = {
        name: {"count": 1, "racks": number, "rack": kind, "unused": draw.choice(("idle", "off")),
               "idle_pu": _near(draw, 0, 0.4)}
        for name, number in zip("ab", shares, strict=False)
    }  # fmt: skip
    if shares[0] % 2 == 0 and draw.random() < 0.4:
        site["pods"]["a"] |= {"count": 2, "racks": shares[0] // 2}
    whole = site["pods"]["a"]["racks"]
    used, names = 0, draw.choice((("big",), ("big", "small"), ("big", "small")))
    jobs: Tables = {}
    for name in names:
        size = max(1, whole // draw.choice((1, 2, 3)))
        count = draw.choice((1, 1, 2))
        if used + size * count > shares[0]:
            size, count = 1, 1
        if used + size > shares[0]:
            break
        used += size * count
        jobs[name] = _job(draw, site, name, size, count, wild, folder)
    if groups == 2:
        jobs["aside"] = _job(draw, site, "aside", draw.choice((1, 2)), 1, wild, folder) | {"pod": "b"}
    site["jobs"] = jobs


def _job(draw: Draw, site: Tables, name: str, size: int, count: int, wild: set[str], folder: Path) -> Tables:
    clock, steep = site["clock"], "jobs" in wild
    period = draw.choice((10.0, 20.0)) if clock["offset_slot_s"] != 4.0 else 20.0
    job: Tables = {"count": count, "racks": size, "period_s": period}
    low = _near(draw, 0.05, 0.9) if steep else _near(draw, 0.7, 0.98)
    if draw.random() < 0.25:
        job |= {"profile": f"{name}.csv", "averaging_s": 2.0 if clock["step_s"] == 1 else 4.0}
        job["per_unit_of"] = draw.choice(("plateau", "peak", "mean"))
        _profile(draw, folder / f"{name}.csv", low)
    else:
        share = draw.choice((0.2, 0.4, 0.6))
        job["phases"] = [
            {
                "name": "compute",
                "share": round(1 - share, 6),
                "level_pu": _near(draw, 0.9, 1.1) if steep else 1.0,
            },
            {"name": "exchange", "share": share, "level_pu": low},
        ]
    job["plateau_pu"] = _near(draw, 0.5, 1.05) if steep else _near(draw, 0.7, 0.95)
    job["idle_pu"] = _near(draw, 0.1, 0.4)
    if draw.random() < 0.4:
        step, macro = clock["step_s"], clock["macro_s"]
        job["events"] = [{
            "kind": "checkpoint", "interval_s": macro, "duration_s": step * draw.randint(1, 8),
            "level_pu": _near(draw, 0.0, 1.0) if steep else _near(draw, 0.6, 0.95),
        }]  # fmt: skip
    _gates(draw, job)
    if draw.random() < 0.3:
        modes = ["baseline", draw.choice(("floor_0.8", "floor_0.9")), draw.choice(("cap_0.85", "cap_0.7"))]
        job["modes"] = modes[: draw.choice((2, 3))]
        job["lost_work_usd_per_gpu_h"] = draw.choice((0.0, 0.2, 2.0))
        if len(job["modes"]) == 3 and draw.random() < 0.5:
            job["throughput_pu"] = {modes[2]: _near(draw, 0.6, 1.0)}
    return job


def _gates(draw: Draw, job: Tables) -> None:
    kind = draw.choice(("locked", "locked", "locked", "jitter", "locks", "unlocked"))
    if kind == "jitter":
        job |= {"locked": True, "jitter_s": _near(draw, 0.1, 3.0), "slack_pu": _near(draw, 0, 0.1)}
    elif kind == "locks":
        job["locks"] = [
            {"slack_pu": 0.01, "jitter_s": 2.0}, {"slack_pu": _near(draw, 0.02, 0.2), "jitter_s": 0.0},
        ]  # fmt: skip
    elif kind == "unlocked":
        job["locked"] = False


def _profile(draw: Draw, path: Path, low: float) -> None:
    """A plateau with one smooth valley, as measured with samples seconds apart."""
    bins = 60
    at, width = draw.uniform(0.3, 0.7), draw.uniform(0.15, 0.25)
    rows = ["phase_pu,power_pu"]
    for k in range(bins):
        phase = (k + 0.5) / bins
        depth = math.exp(-(((phase - at) / width) ** 4))
        rows.append(f"{phase:.6f},{1 - (1 - low) * depth:.5f}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _grid(draw: Draw, site: Tables, racks: int, wild: set[str]) -> None:
    it_mw = racks * RACK_KW / 1e3
    tight = "grid" in wild
    contract = it_mw * (_near(draw, 0.7, 1.6) if tight else _near(draw, 1.5, 2.2))
    poi: Tables = {
        "contract_max_mw": round(contract, 3),
        "interconnection_limit_mw": round(contract * draw.choice((1.0, 1.1, 1.3)), 3),
        "power_factor": draw.choice((0.9, 0.95, 0.98, 1.0)),
    }
    kind = draw.choice(("none", "rule", "rule", "rule"))
    if kind == "none":
        poi |= {"rule": "none"} if draw.random() < 0.5 else {}
    else:
        room_mw = it_mw * (_near(draw, 0.03, 0.2) if tight else _near(draw, 0.1, 0.5))
        poi |= {
            "rule": "ercot_2026_draft", "allocated_share": min(1.0, round(room_mw / 10.0, 5)),
            "filter_order": draw.choice((1, 1, 1, 2)), "one_job_absent": draw.random() < 0.25,
            "unlocked_alignment": draw.choice(("once_a_year", "any")),
        }  # fmt: skip
        if draw.random() < 0.2:
            poi |= {"window_s": draw.choice((2.0, 5.0, 12.0)), "band_hz": [draw.choice((0.02, 0.1)), 20.0]}
    site["poi"] = poi


# equipment


def _card(draw: Draw, component: str, allowed: Callable[[Tables], bool]) -> str:
    """A card that stands on its port; a few times in a hundred any other one."""
    found = cards(component)
    fitting = [name for name, card in found.items() if allowed(card)]
    return draw.choice(list(found) if draw.random() < 0.02 else fitting)


def _counts(draw: Draw, least: float, narrow: bool, spare: int) -> list[int]:
    """A menu of counts around what is needed; a narrow one may be too small."""
    first = max(1, math.ceil(least * (draw.uniform(0.4, 1.5) if narrow else 1.0)))
    return sorted(
        {first, *(() if narrow else (first + 1, math.ceil(1.5 * first) + spare, 2 * first + spare))}
    )


def _menu(draw: Draw, values: list[float], wide: bool) -> Any:
    """A list, or, of a wide menu, now and then everything between its ends."""
    if wide and draw.random() < 0.25:
        return {"min": min(values), "max": max(values)}
    return sorted({round(value, 6) for value in values})


def _equipment(draw: Draw, site: Tables, racks: int, wild: set[str], hot: bool) -> None:
    narrow, spec = "menus" in wild, site["equipment"]
    heat_kw = racks * RACK_KW * LIQUID_PU
    air_kw = racks * RACK_KW * (1 - LIQUID_PU)
    redundancy = lambda: draw.choice(("n", "n+1"))  # noqa: E731
    supplies = (
        [_near(draw, 3, 55, 1)]
        if "water" in wild
        else draw.sample((30, 32, 33, 34, 36, 38), draw.choice((1, 2)))
    )
    spec["cooling"] = {"fws_supply_c": [float(each) for each in supplies]}
    cdu = cards("cdu")[
        name := _card(
            draw, "cdu", lambda card: card["coolant"] == "pg25" and card["capacity_kw"] < max(heat_kw, 700)
        )
    ]
    spec["cdu"] = {
        "cards": [name], "count": _counts(draw, 0.8 * heat_kw / cdu["capacity_kw"], narrow, 1),
        "flow_l_per_min": _menu(draw, [pu * cdu["tcs_max_l_per_min"] for pu in (0.5, 0.8, 1.0)], not narrow),
        "approach_k": [_near(draw, 2, 9, 1) if narrow else draw.choice((4.0, 5.0, 7.0))],
        "redundancy": redundancy() if racks > 6 else "n",
    }  # fmt: skip
    flow = heat_kw / (4.18 * 10)
    spec["fws_pump"] = {
        "cards": ["fws-pump"],
        "flow_kg_per_s": _menu(draw, [0.6 * flow, flow, 1.6 * flow, 2.5 * flow], not narrow),
    }  # fmt: skip
    cell = cards("dry_cooler")[
        name := draw.choice(("cell-250", "cell-250", "bac-tdfs1238" if racks > 8 else "cell-250"))
    ]
    spec["dry_cooler"] = {
        "cards": [name], "count": _counts(draw, 0.8 * heat_kw / cell["capacity_kw"], narrow, 2),
        "redundancy": redundancy(),
    }  # fmt: skip
    spec.pop("chiller", None)
    if hot or draw.random() < 0.6:
        names = draw.sample(("warm-200", "warm-250", "warm-300", "warm-1000"), draw.choice((1, 2)))
        least = 0.7 * heat_kw / cards("chiller")[names[0]]["capacity_kw"]
        spec["chiller"] = {
            "cards": names, "count": sorted({0, *_counts(draw, least, narrow, 2)})[draw.choice((0, 0, 1)):],
            "redundancy": redundancy(),
        }  # fmt: skip
    spec["buffer"] = {
        "cards": ["buffer"],
        "volume_m3": _menu(draw, [0.2 * racks, 0.6 * racks, 2.0 * racks], not narrow),
    }
    wall = cards("fan_wall")[name := draw.choice(("wall-50", "wall-50", "wall-233"))]
    spec["fan_wall"] = {
        "cards": [name], "count": _counts(draw, air_kw / wall["capacity_kw"], narrow, 2),
        "redundancy": redundancy(), "supply_air_max_c": draw.choice((22.0, 25.0, 27.0, 30.0)),
    }  # fmt: skip
    machine = cards("eir_chiller")[
        name := _card(draw, "eir_chiller", lambda card: card["condenser"] == "air")
    ]
    spec["air_chiller"] = {
        "cards": [name], "count": _counts(draw, 1.2 * air_kw / machine["capacity_kw"], narrow, 2),
        "redundancy": redundancy(),
        "chilled_water_c": _near(draw, 5, 20, 1) if "water" in wild else _near(draw, 7.5, 9, 1),
    }  # fmt: skip
    unit = cards("transformer")[
        name := draw.choice(("pad-500", "pad-750", "pad-1000", "pad-1500", "pad-2500"))
    ]
    spec["transformer"] = {
        "cards": [name], "count": _counts(draw, 1.2 * racks * RACK_KW / 1e3 / unit["rating_mva"], narrow, 1),
        "redundancy": redundancy(), "outage_h": draw.choice((2.0, 24.0, 720.0)),
    }  # fmt: skip
    _storage(draw, site, racks, narrow)


def _storage(draw: Draw, site: Tables, racks: int, narrow: bool) -> None:
    name = draw.choice(("supercap-row", "supercap-row", "lithium-lto"))
    low_s, high_s = cards("storage")[name]["valid"]["energy_per_power_s"]
    it_mw = racks * RACK_KW / 1e3
    powers = [round(share * it_mw, 4) for share in (0.1, 0.3, 0.6, 1.0)]
    seconds = [low_s, 1.5 * low_s, 2.5 * low_s, min(10 * low_s, high_s)]
    energies = [p * s / 3600 for p in powers for s in seconds]
    if narrow:
        powers, energies = powers[:1], [draw.choice(energies)]
    energies = sorted({0.0, *(round(each, 6) for each in draw.sample(energies, min(5, len(energies))))})
    if not narrow and draw.random() < 0.25:
        power: Any = {"min": 0.0, "max": powers[-1]}
        energy: Any = {"min": 0.0, "max": energies[-1]}
    else:
        power, energy = [0.0, *powers], energies
    site["equipment"]["storage"] = {"cards": [name], "power_mw": power, "energy_mwh": energy}


def _scenarios(draw: Draw, site: Tables, wild: set[str]) -> None:
    wide = "scenarios" in wild
    off_s, reload_s = _near(draw, 0, 120 if wide else 40, 0), _near(draw, 10, 300 if wide else 60, 0)
    trip: Tables = {"off_s": off_s, "reload_s": reload_s, "at_s": _near(draw, 0, 10, 0)}
    trip["duration_s"] = 5.0 * math.ceil((trip["at_s"] + off_s + reload_s + 5.0) / 5.0)
    if site["equipment"].get("chiller") and draw.random() < 0.3:
        trip["units"] = 1
    abort: Tables = {"off_s": _near(draw, 2, 20 if wide else 5, 0)}
    abort["duration_s"] = draw.choice((80.0, 100.0) if wide else (12.0, 20.0))
    if draw.random() < 0.4:
        abort["at_s"] = _near(draw, 0, 40 if wide else 5, 0)
    if draw.random() < 0.4:
        abort["job"] = draw.choice(list(site["jobs"]))
    site["scenarios"] = {
        "nominal_hot": {"duration_s": draw.choice((4.0, 8.0))},
        "chiller_trip": trip,
        "cdu_pump_trip": {
            "at_s": _near(draw, 0, 5, 0),
            "duration_s": 30.0 if wide else draw.choice((12.0, 16.0)),
        },
        "job_abort_restart": abort,
    }


def _overrides(draw: Draw, site: Tables) -> None:
    """One or two values of one card in use, near the card's own."""
    pieces = {"air_chiller": "eir_chiller"}
    piece = draw.choice([name for name in site["equipment"] if "cards" in site["equipment"][name]])
    component, name = pieces.get(piece, piece), site["equipment"][piece]["cards"][0]
    own = cards(component)[name]
    keys = [key for key, value in own.items() if type(value) is float and value]
    changed = {key: round(own[key] * draw.choice((0.8, 0.95, 1.05, 1.2)), 9) for key in draw.sample(keys, 2)}
    site["cards"] = {component: {name: changed}}
