"""Every size and every schedule of a site, with arithmetic of its own.

NumPy, SciPy's root finder, linprog for the storage.
Knows the site file and the cards (TOML) and the definitions of the problem, nothing of `codesign`.
"""

from __future__ import annotations

import csv
import itertools
import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq, linprog, newton
from scipy.sparse import csr_array, vstack

CP_WATER, RHO_WATER = 4.18, 0.992
TCS = 4.008 / 60.0  # kW/K per l/min
FLOOR = 0.02


def cards(models: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: tomllib.loads(path.read_text()) for path in models.glob("*.toml")}


def read(folder: Path) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    site = tomllib.loads((folder / "site.toml").read_text())
    names = {site["climate"]["series"], site["energy"]["price_series"]}
    names |= {job["profile"] for job in site["jobs"].values() if "profile" in job}
    series = {}
    for name in names:
        lines = [line for line in (folder / name).read_text().splitlines() if not line.startswith("#")]
        series[name] = list(csv.DictReader(lines))
    return site, series


def upper(a: Any, b: Any, width: float) -> Any:
    return (a + b + np.sqrt((a - b) ** 2 + width**2)) / 2


def lower(a: Any, b: Any, width: float) -> Any:
    return (a + b - np.sqrt((a - b) ** 2 + width**2)) / 2


def floored(x: Any) -> Any:
    return upper(x, FLOOR, 0.2 * FLOOR)


@dataclass
class Best:
    cost: float = math.inf
    sizes: dict[str, Any] | None = None
    schedule: Any = None
    fws_c: float = math.nan


class Hall:
    """One site at one FWS supply and approach."""

    def __init__(
        self,
        site: dict[str, Any],
        series: dict[str, Any],
        deck: dict[str, Any],
        fws_c: float,
        approach_k: float,
    ) -> None:
        self.site, self.deck, self.fws_c, self.tcs_c = site, deck, fws_c, fws_c + approach_k
        self.rack = deck["rack"][next(iter(site["pods"].values()))["rack"]]
        weather = {row["time"]: float(row["dry_bulb_c"]) for row in series[site["climate"]["series"]]}
        price = {
            row["time"]: float(row["price_usd_per_mwh"]) for row in series[site["energy"]["price_series"]]
        }
        rows = []  # hourly readings: means weigh, the highest of each step and the day's lowest only limit
        shift = site["climate"]["utc_offset_h"] - site["energy"]["utc_offset_h"]
        step_h = site["clock"].get("hour_step_h", 1)
        for day in site["days"]:
            local = [datetime.fromisoformat(day["date"]) + timedelta(hours=hour) for hour in range(24)]
            air = [weather[each.isoformat(timespec="minutes")] for each in local]
            cost = [price[(t - timedelta(hours=shift)).isoformat(timespec="minutes")] for t in local]
            for first in range(0, 24, step_h):
                step = slice(first, first + step_h)
                usd = math.fsum(cost[step]) / step_h
                rows.append((math.fsum(air[step]) / step_h, usd, day["weight_days"] * step_h))
                rows.append((max(air[step]), usd, 0.0))
            rows.append((min(air), 0.0, 0.0))
        self.db, self.price, self.weight = np.array(rows).T
        self.rho = (1 - 2.25577e-5 * site["climate"].get("altitude_m", 0.0)) ** 5.25588
        self.k = round(site["clock"]["macro_s"] / site["clock"]["step_s"])
        self.level = {name: self._profile(job, series) for name, job in site["jobs"].items()}
        self._it()

    def _profile(self, job: dict[str, Any], series: dict[str, Any]) -> np.ndarray:
        steps = round(job["period_s"] / self.site["clock"]["step_s"])
        if "profile" in job:
            values = np.array([float(row["power_pu"]) for row in series[job["profile"]]])
            unit = {"peak": values.max(), "mean": values.mean()}.get(job.get("per_unit_of", ""), 1.0)
            values, width = values / unit, np.full(len(values), 1 / len(values))
        else:
            values = np.array([phase["level_pu"] for phase in job["phases"]])
            width = np.array([phase["share"] for phase in job["phases"]])
        edges = np.concatenate([[0], np.cumsum(width)])
        out = np.zeros(steps)
        for i in range(steps):
            a, b = i / steps, (i + 1) / steps
            overlap = np.clip(np.minimum(edges[1:], b) - np.maximum(edges[:-1], a), 0, None)
            out[i] = (overlap * values).sum() * steps
        return out * job.get("plateau_pu", 0.95)

    def wave(self, name: str, offset_s: float, slots: tuple[float, ...]) -> np.ndarray:
        job, dt = self.site["jobs"][name], self.site["clock"]["step_s"]
        level = np.array(
            [self.level[name][(k - round(offset_s / dt)) % len(self.level[name])] for k in range(self.k)]
        )
        for event, slot in zip(job.get("events", []), slots, strict=True):
            for turn in range(round(self.site["clock"]["macro_s"] / event["interval_s"])):
                first = round((slot + offset_s + turn * event["interval_s"]) / dt)
                for k in range(first, first + round(event["duration_s"] / dt)):
                    level[k % self.k] = event["level_pu"] * job.get("plateau_pu", 0.95)
        return level

    def places(self, name: str) -> list[tuple[float, tuple[float, ...]]]:
        job, clock = self.site["jobs"][name], self.site["clock"]
        offsets = np.arange(round(job["period_s"] / clock["offset_slot_s"])) * clock["offset_slot_s"]
        slots = [
            np.arange(round(e["interval_s"] / clock["event_slot_s"])) * clock["event_slot_s"]
            for e in job.get("events", [])
        ]
        return [(float(o), tuple(map(float, s))) for s in itertools.product(*slots) for o in offsets]

    def _it(self) -> None:
        r = self.rack
        peak = max(level.max() for level in self.level.values())
        self.rack_flow = r["liquid_pu"] * r["nominal_kw"] * peak / (TCS * (r["return_target_c"] - self.tcs_c))
        loads = [
            (job["count"] * job["racks"], self.wave(name, *self.places(name)[0]).mean())
            for name, job in self.site["jobs"].items()
        ]
        first = next(iter(self.site["pods"]))
        for pod, spec in self.site["pods"].items():
            left = spec["count"] * spec["racks"] - sum(
                job["count"] * job["racks"]
                for job in self.site["jobs"].values()
                if job.get("pod", first) == pod
            )
            if spec.get("unused", "idle") == "idle" and left:
                loads.append((left, spec.get("idle_pu", 0.2)))
        self.racks = sum(n for n, _ in loads)
        self.flow = self.racks * self.rack_flow
        self.dynamic = self.leak = self.liquid = self.air = 0.0
        for n, mean in loads:
            beyond = self.junction(mean) - self.metered(mean)
            leak = r["nominal_kw"] * r["gpu_pu"] * mean * r["leakage_pu_per_k"] * beyond
            self.dynamic += n * r["nominal_kw"] * mean
            self.leak += n * leak
            self.liquid += n * (r["liquid_pu"] * r["nominal_kw"] * mean + leak)
            self.air += n * (1 - r["liquid_pu"]) * r["nominal_kw"] * mean
        self.holds = (
            self.junction(peak) <= r["junction_max_c"]
            and self.tcs_c <= r["supply_max_c"]
            and self.rack_flow <= r["flow_max_l_per_min"]
        )

    def resistance(self, flow: float) -> float:
        """Die to supply of one GPU at a flow of the rack; the plate's coolant is at its mean [K/W]."""
        r = self.rack
        conv = (
            r["plate_coolant_k_per_w"]
            * floored(flow / (r["gpus"] * r["plate_flow_l_per_min"])) ** -r["flow_exponent"]
        )
        half_rise = 1 / (2 * 1000 * TCS * flow / r["gpus"])
        return float(r["die_lid_k_per_w"] + r["lid_plate_k_per_w"] + conv + half_rise)

    def metered(self, level: float) -> float:
        """Junction at which a profile's level is metered."""
        r = self.rack
        rated = 1000 * r["nominal_kw"] * r["gpu_pu"] / r["gpus"]
        rise = self.resistance(r["gpus"] * r["plate_flow_l_per_min"]) * rated * (1 - level)
        return float(r["leakage_reference_c"] - rise)

    def junction(self, level: float) -> float:
        r = self.rack
        rated = 1000 * r["nominal_kw"] * r["gpu_pu"] / r["gpus"]
        total = self.resistance(self.rack_flow)

        def miss(tj: float) -> float:
            return (
                self.tcs_c
                + total * rated * level * (1 + r["leakage_pu_per_k"] * (tj - self.metered(level)))
                - tj
            )

        return brentq(miss, -100, 400, xtol=1e-12)

    def cdu(self, card: dict[str, Any], running: int) -> tuple[float, float, float, float] | None:
        """(pump kW, FWS flow, heat, return) with `running` CDUs; None where they cannot hold the supply."""
        v = self.flow / running
        pump = (
            running
            * (card["head_fixed_kpa"] + card["head_friction_kpa"] * (v / card["flow_l_per_min"]) ** 2)
            * v
            / 60000
            / card["efficiency"]
        )
        hot_in, hx = self.tcs_c + self.liquid / (TCS * self.flow), self.liquid + pump

        def duty(m: float) -> float:
            ch = TCS * card["flow_l_per_min"] * floored(v / card["flow_l_per_min"])
            cc = CP_WATER * card["fws_reference_kg_per_s"] * floored(m / card["fws_reference_kg_per_s"])
            ua = 1 / (
                card["tcs_resistance_k_per_kw"]
                * floored(v / card["flow_l_per_min"]) ** -card["flow_exponent"]
                + card["fws_resistance_k_per_kw"]
                * floored(m / card["fws_reference_kg_per_s"]) ** -card["flow_exponent"]
                + card["wall_resistance_k_per_kw"]
            )
            low, z = min(ch, cc), min(ch, cc) / max(ch, cc)
            n = ua / low
            eff = (
                n / (1 + n)
                if abs(1 - z) < 1e-9
                else (1 - math.exp(-n * (1 - z))) / (1 - z * math.exp(-n * (1 - z)))
            )
            flowing = v * TCS / ch * m * CP_WATER / cc
            return flowing * eff * low * (hot_in - self.fws_c)

        most = card["fws_flow_max_kg_per_s"]
        if duty(most) < hx / running:
            return None
        m = running * brentq(lambda x: duty(x) - hx / running, 0.2, most, xtol=1e-13, rtol=1e-14)
        within = hx <= running * card["capacity_kw"] and m / running >= card["fws_flow_min_kg_per_s"]
        if not within or not card["tcs_min_l_per_min"] <= v <= card["tcs_max_l_per_min"]:
            return None
        return pump, m, hx, hot_in

    def fan_duty(self, card: dict[str, Any], cells: int, fan: Any, water_c: float, m: float, db: Any) -> Any:
        if cells == 0:
            return 0.0 * db
        air = (card["air_floor_pu"] + (1 - card["air_floor_pu"]) * fan) * self.draught(card)
        w = floored(m / cells / card["water_kg_per_s"])
        ua = card["conductance_kw_per_k"] / (
            card["water_split"] * w ** -card["water_exponent"]
            + (1 - card["water_split"]) * air ** -card["air_exponent"]
        )
        cw, ca = CP_WATER * card["water_kg_per_s"] * w, card["air_kw_per_k"] * air
        low = lower(cw, ca, 0.02 * card["air_kw_per_k"])
        z = low / (cw + ca - low)
        n = ua / low
        eff = 1 - np.exp(n**0.22 / z * (np.exp(-z * n**0.78) - 1))
        warmer = np.maximum(water_c - db, 0.0)
        on = (db >= card["ambient_min_c"]) & (db <= card["ambient_max_c"])
        return on * m * CP_WATER / cw * low * eff * warmer**3 / (warmer**2 + BYPASS_K**2)

    def draught(self, card: dict[str, Any]) -> np.ndarray:
        """Air density over that of a dry cooler's rating, by hour."""
        return self.rho * (card["air_reference_c"] + 273.15) / (self.db + 273.15)

    def equivalent(self, card: dict[str, Any]) -> np.ndarray:
        """Dry bulb as an air-cooled condenser feels it in thin air, by hour."""
        return self.db + card["condenser_lift_k"] * (1 / self.rho - 1)

    def chiller(self, card: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """(capacity kW, COP) of one machine by hour."""
        lv = np.clip(self.fws_c, card["leaving_min_c"], card["leaving_max_c"])
        felt = self.equivalent(card)
        db = np.clip(felt, card["ambient_min_c"], card["ambient_max_c"])
        on = (self.db >= card["ambient_min_c"]) & (felt <= card["ambient_max_c"])
        cap = on * card["capacity_kw"] * (
            1 + card["capacity_pu_per_k_leaving"] * (lv - card["leaving_reference_c"])
            + card["capacity_pu_per_k_ambient"] * (db - card["ambient_reference_c"])
        )  # fmt: skip
        te = lv - card["evaporator_pinch_k"]
        lift = upper(db + card["condenser_lift_k"] - te, card["lift_min_k"], 0.5)
        return cap, lower(card["carnot_pu"] * (te + 273.15) / lift, card["cop_max"], 0.2)

    def rejection(
        self,
        cells_card: dict[str, Any],
        cells: int,
        ch_card: dict[str, Any],
        machines: int,
        m: float,
        heat: float,
    ) -> Any:
        """Least electric power by hour, kW, or None where some hour cannot be met."""
        water_c = self.fws_c + heat / (CP_WATER * m)
        cap, cop = self.chiller(ch_card)
        least, fixed = ch_card["load_min_pu"] * cap, ch_card["fixed_pu"]
        best = np.full(len(self.db), np.inf)
        for on in range(machines + 1):
            for cycling in (False, True) if on == 0 and machines else (False,):
                lo, hi = (0 * cap, least) if cycling else (on * least, on * cap)

                def power(
                    fan: np.ndarray, on: int = on, cycling: bool = cycling, lo: np.ndarray = lo
                ) -> np.ndarray:
                    kw = np.maximum(
                        heat - self.fan_duty(cells_card, cells, fan, water_c, m, self.db), lo
                    )  # bypass
                    run = kw / least if cycling else on
                    fans = cells * cells_card["fan_kw"] * fan**3 * self.draught(cells_card)
                    return fans + (fixed * cap * run + (1 - fixed) * kw) / cop

                a, b = (
                    self._speed(cells_card, cells, heat - hi, water_c, m),
                    self._speed(cells_card, cells, heat - lo, water_c, m),
                )
                d_a = self.fan_duty(cells_card, cells, a, water_c, m, self.db)
                ok = (d_a >= heat - hi - 1e-6) & (lo <= heat)
                for _ in range(80):
                    x, y = a + (b - a) / 3, b - (b - a) / 3
                    left = power(x) < power(y)
                    a, b = np.where(left, a, x), np.where(left, y, b)
                best = np.where(ok, np.minimum(best, power((a + b) / 2)), best)
        return None if np.isinf(best).any() else best

    def _speed(
        self, card: dict[str, Any], cells: int, target: np.ndarray, water_c: float, m: float
    ) -> np.ndarray:
        a, b = np.zeros(len(self.db)), np.ones(len(self.db))
        for _ in range(55):
            mid = (a + b) / 2
            short = self.fan_duty(card, cells, mid, water_c, m, self.db) < target
            a, b = np.where(short, mid, a), np.where(short, b, mid)
        return (a + b) / 2

    def air_power(self, wall: dict[str, Any], walls: int, ch: dict[str, Any], machines: int) -> Any:
        """Fans and chillers of the air share by hour, kW; None where a limit breaks with one unit out."""
        spec = self.site["equipment"]
        water, limit = spec["air_chiller"]["chilled_water_c"], spec["fan_wall"]["supply_air_max_c"]

        def aisle(y: float, n: int) -> float:
            c, fans = n * wall["air_kw_per_k"] * self.rho * y, n * wall["fan_kw"] * self.rho * y**3
            hot = water + (self.air + fans) / (wall["effectiveness"] * c)
            return hot - self.air / c

        out_wall = 1 if spec["fan_wall"].get("redundancy", "n+1") == "n+1" else 0
        if walls - out_wall < 1 or aisle(1.0, walls - out_wall) > limit:
            return None
        turn = min(
            1.0,
            math.sqrt((limit - water) * wall["air_kw_per_k"] * wall["effectiveness"] / (3 * wall["fan_kw"])),
        )
        y = (
            brentq(lambda s: aisle(s, walls) - limit, 1e-6, turn, xtol=1e-14)
            if aisle(turn, walls) < limit
            else math.nan
        )
        y = max(y, wall["fan_min_pu"])
        fans = walls * wall["fan_kw"] * self.rho * y**3
        coil = self.air + fans
        te = np.clip(water, ch["leaving_min_c"], ch["leaving_max_c"])
        felt = self.equivalent(ch)
        if (self.db < ch["entering_min_c"]).any() or (felt > ch["entering_max_c"]).any():
            return None
        tc = np.maximum(felt, ch["entering_held_c"])
        basis = np.array([np.ones_like(tc), te + 0 * tc, te**2 + 0 * tc, tc, tc**2, te * tc])
        capft, eirft = np.array(ch["capft_c"]) @ basis, np.array(ch["eirft_c"]) @ basis
        cap = ch["capacity_kw"] * capft
        out = 1 if spec["air_chiller"].get("redundancy", "n+1") == "n+1" else 0
        if ((machines - out) * cap < coil).any():
            return None
        load = coil / (machines * cap)
        a, b, c = ch["eirfplr_c"]
        unl, cyc = (
            upper(load, ch["plr_min_unloading"], PLR_WIDTH * ch["plr_min_unloading"]),
            load / upper(load, ch["plr_min"], PLR_WIDTH * ch["plr_min"]),
        )
        return fans + machines * cap / ch["cop_reference"] * eirft * (a + b * unl + c * unl**2) * cyc

    def course(self, schedule: Any) -> np.ndarray:
        """What the jobs draw beside their mean over the macro period, unlocked ones at their highest, MW."""
        course = np.zeros(self.k)
        for name, place in schedule:
            job = self.site["jobs"][name]
            wave = job["racks"] * self.rack["nominal_kw"] / 1e3 * self.wave(name, *place)
            course += (wave if job.get("locked", True) else wave.max()) - wave.mean()
        return course

    def hot_spot_rise(self, card: dict[str, Any], load: np.ndarray) -> np.ndarray:
        """Highest rise of the hot spot over ambient of courses that repeat [hours, K], by their spectrum."""
        ratio = card["load_loss_kw"] / card["no_load_kw"]
        oil = card["top_oil_rise_k"] * ((1 + ratio * load**2) / (1 + ratio)) ** card["oil_exponent"]
        winding = (
            card["hot_spot_factor"]
            * card["gradient_k"]
            * upper(load, 0.01, 0.005) ** card["winding_exponent"]
        )

        def lagged(target: np.ndarray, seconds: float) -> np.ndarray:
            keep = math.exp(-self.site["clock"]["step_s"] / seconds)
            turn = np.exp(-2j * np.pi * np.fft.fftfreq(target.shape[1]))
            return np.fft.ifft(np.fft.fft(target) * (1 - keep) / (1 - keep * turn)).real

        return (
            lagged(oil, card["k11"] * card["oil_time_s"])
            + card["k21"] * lagged(winding, card["k22"] * card["winding_time_s"])
            - (card["k21"] - 1) * lagged(winding, card["oil_time_s"] / card["k22"])
        ).max(axis=1)

    def transformer(self, card: dict[str, Any], units: int, load_mw: np.ndarray, schedule: Any) -> Any:
        """Losses by hour, MW; None where the hot spot breaks a limit in a cycle of the schedule.

        An outage of a day: settled, and 140 degC is what the insulation stands for so long.
        """
        mva, out = load_mw / self.site["poi"]["power_factor"], 1
        cycle = self.course(schedule) / self.site["poi"]["power_factor"]
        assert self.site["equipment"]["transformer"].get("outage_h", 24.0) == 24.0
        for n, limit in ((units, card["hot_spot_max_c"]), (units - out, card["hot_spot_emergency_c"])):
            if n < 1:
                return None
            load = np.maximum(mva[:, None] + cycle, 0.0) / (n * card["rating_mva"])
            if load.max() > card["load_max_pu"] or (self.db + self.hot_spot_rise(card, load) > limit).any():
                return None
        return (
            units * card["no_load_kw"] + card["load_loss_kw"] * (mva / card["rating_mva"]) ** 2 / units
        ) / 1e3


BYPASS_K, PLR_WIDTH = 0.1, 0.002
Rows = dict[tuple[int, int, int], None]  # (step, lag, sign), in the order in which they were broken


class Bank:
    """A capacitor bank at end of life as one capacitor of 1 V when full; energy in MJ, power in MW."""

    def __init__(self, card: dict[str, Any], energy_mwh: float) -> None:
        self.into, self.out = card["fixed_efficiency_charge"], card["fixed_efficiency_discharge"]
        self.farad = 2e6 * 3600.0 * energy_mwh * card["end_energy_pu"]
        new = card["time_constant_s"] * 1e-6 / (2.0 * 3600.0 * energy_mwh)
        self.ohm = new * card["end_resistance_pu"]
        self.least_v, self.most_v = math.sqrt(card["window_min_pu"]), math.sqrt(card["window_max_pu"])

    def current(self, volt: float, net_mw: float) -> float:
        """Ampere out of the capacitor: p = (V - I R) I at its terminals."""
        cells = 1e6 * (-self.into * net_mw if net_mw > 0.0 else -net_mw / self.out)
        return (volt - math.sqrt(max(volt * volt - 4.0 * self.ohm * cells, 0.0))) / (2.0 * self.ohm)

    def course(self, net: np.ndarray, dt: float, volt: float) -> np.ndarray:
        """Voltage from start to end, two midpoint steps a step of the clock."""
        found = [volt]
        for each in net.tolist():
            for _ in range(2):
                half = volt - self.current(volt, each) / self.farad * dt / 4
                volt -= self.current(half, each) / self.farad * dt / 2
            found.append(volt)
        return np.array(found)

    def closed(self, net: np.ndarray, dt: float, volt: float) -> tuple[float, np.ndarray]:
        """(constant power to take off so that the voltage comes back, its course)."""
        scale = float(np.abs(net).mean())
        off = newton(
            lambda trim: self.course(net - trim, dt, volt)[-1] - volt, 0.0, x1=0.01 * scale, tol=1e-11 * scale
        )
        return off, self.course(net - off, dt, volt)


def least_loss(wave: np.ndarray, card: dict[str, Any], power: float, energy: float, dt: float, window: int,
               pole: float, limit: float, periods: float, known: Rows) -> float | None:  # fmt: skip
    """Least mean loss of a storage that keeps the window rule, MW; None where none does.

    A capacitor's efficiencies are those of its course, found by turns; what its voltage leaves of the window
    is taken off the room at that end.
    """
    one_way = card["fixed_efficiency_charge"], card["fixed_efficiency_discharge"]
    low, high = (card[f"window_{end}_pu"] * card["end_energy_pu"] for end in ("min", "max"))
    rule = dt, window, pole, limit, periods, known
    room = [low * energy, high * energy]
    if card["time_constant_s"] == 0.0:
        found = programme(wave, card, power, energy, room, one_way, *rule)
        return None if found is None else float(found[0].mean())
    bank = Bank(card, energy)
    for _ in range(6):
        if room[1] <= room[0]:
            return None
        found = programme(wave, card, power, energy, room, one_way, *rule)
        if found is None:
            return None
        net, stored = found
        if not np.abs(net).max() > 1e-9:
            return 0.0
        trim, volts = bank.closed(net, dt, math.sqrt(2e6 * (3600 * room[0] + stored[0]) / bank.farad))
        held = bank.farad / 2e6 * volts**2  # MJ
        change, real = np.diff(held), net - trim
        into, out = real > 0.0, real < 0.0
        one_way = (
            change[into].sum() / (dt * real[into].sum()) if into.any() else one_way[0],
            dt * real[out].sum() / change[out].sum() if out.any() else one_way[1],
        )
        under, above = 3600 * low * energy - held.min(), held.max() - 3600 * high * energy
        if max(under, above) <= 0.0 and abs(trim) < 1e-5 * power:
            return float(real.mean())
        room = [room[0] + max(under, 0.0) / 3600, room[1] - max(above, 0.0) / 3600]
    return None


def programme(wave: np.ndarray, card: dict[str, Any], power: float, energy: float, room: list[float],
              one_way: tuple[float, float], dt: float, window: int, pole: float, limit: float,
              periods: float, known: Rows) -> tuple[np.ndarray, np.ndarray] | None:  # fmt: skip
    """(charge less discharge, energy above the least in MJ) of least loss at constant efficiencies.

    Rows are made where they are broken, here or for an earlier course: `known` gathers them.
    """
    k = len(wave)
    usable = (room[1] - room[0]) * 3600.0
    # columns: charge, discharge, stored (MJ), filtered
    c, d, e, y = (np.arange(k) + i * k for i in range(4))
    rows, cols, vals, rhs = [], [], [], []

    def row(terms: list[tuple[np.ndarray, float]], right: np.ndarray) -> None:
        n = len(rhs)
        for column, value in terms:
            rows.extend(range(n, n + k))
            cols.extend(column)
            vals.extend([value] * k)
        rhs.extend(right)

    row(
        [
            (np.roll(e, -1), 1),
            (e, -1),
            (c, -dt * one_way[0]),
            (d, dt / one_way[1]),
        ],
        np.zeros(k),
    )
    last = np.roll
    row(
        [(y, 1), (last(y, 1), -pole), (c, -1), (last(c, 1), 1), (d, 1), (last(d, 1), -1)],
        wave - np.roll(wave, 1),
    )
    equal = csr_array((vals, (rows, cols)), shape=(len(rhs), 4 * k))
    bounds = [(0, power)] * (2 * k) + [(0, usable)] * k + [(None, None)] * k
    cost = np.concatenate([np.full(k, 1 / k), np.full(k, -1 / k), np.zeros(2 * k)])
    life = np.concatenate([np.zeros(k), np.full(k, dt), np.zeros(2 * k)])
    allowed = card["cycle_life_efc"] / card["calendar_life_years"] * energy * 3600.0 / periods

    def window_rows(keys: list[tuple[int, int, int]]) -> csr_array:
        first, lags, signs = np.array(keys).T
        n = np.arange(len(keys))
        entries = (np.append(signs, -signs), (np.append(n, n), np.append(y[(first + lags) % k], y[first])))
        return csr_array(entries, shape=(len(keys), 4 * k))

    uneven = vstack([csr_array(life[None, :]), *([window_rows(list(known))] if known else [])])
    right = [allowed, *[limit] * len(known)]
    while True:
        answer = linprog(cost, A_ub=uneven, b_ub=right, A_eq=equal, b_eq=rhs, bounds=bounds, method="highs")
        if answer.status == 2:
            return None
        if answer.status == 4:  # simplex gave up; the interior point method does not
            answer = linprog(
                cost,
                A_ub=uneven,
                b_ub=right,
                A_eq=equal,
                b_eq=rhs,
                bounds=bounds,
                method="highs-ipm",
            )
        if answer.status == 2:
            return None
        assert answer.status == 0, answer.message
        out = answer.x[y]
        fresh = []
        for lag in range(1, window + 1):
            change = np.roll(out, -lag) - out
            for sign in (1, -1):
                fresh += [(int(i), lag, sign) for i in np.flatnonzero(sign * change > limit + 1e-9)]
        fresh = [key for key in fresh if key not in known]
        if not fresh:
            return answer.x[c] - answer.x[d], answer.x[e]
        uneven = vstack([uneven, window_rows(fresh)])
        right += [limit] * len(fresh)
        known.update(dict.fromkeys(fresh))


def moved(wave: np.ndarray, shift: float) -> np.ndarray:
    """Later by some steps; part of a step is averaged over the step."""
    part = shift % 1.0
    return (1 - part) * np.roll(wave, int(shift)) + part * np.roll(wave, int(shift) + 1)


def worst_case_loss(
    site: dict[str, Any], parts: list[tuple[str, np.ndarray]], loss_of: Callable[[np.ndarray], float | None]
) -> float | None:
    """Mean loss over the phases of unlocked jobs, without jitter; None where some shift in it cannot be kept.

    The storage is dispatched for every course anew, knowing it: no controller does better.
    """
    steps = len(parts[0][1])

    def shifts(name: str) -> list[float]:
        job = site["jobs"][name]
        if not job.get("locked", True):
            return list(range(steps))
        most = job.get("jitter_s", 0.0) / site["clock"]["step_s"]
        return [*range(math.floor(most) + 1), *([most] if most % 1.0 else [])]

    calm = []
    for moves in itertools.product(*(shifts(name) for name, _ in parts)):
        loss = loss_of(
            sum((moved(wave, move) for (_, wave), move in zip(parts, moves, strict=True)), np.zeros(steps))
        )
        if loss is None:
            return None
        if all(
            move == 0
            for (name, _), move in zip(parts, moves, strict=True)
            if site["jobs"][name].get("locked", True)
        ):
            calm.append(loss)
    return float(np.mean(calm))


def schedules(hall: Hall) -> list[tuple[tuple[str, tuple[float, tuple[float, ...]]], ...]]:
    """Every schedule: identical jobs are counted, one copy of the job that swings most at its first place."""
    jobs = hall.site["jobs"]
    swing = {
        name: np.ptp(hall.wave(name, *hall.places(name)[0])) * job["racks"] * job.get("locked", True)
        for name, job in jobs.items()
    }
    anchor = max(swing, key=lambda name: swing[name])
    each = []
    for name, job in jobs.items():
        if not job.get("locked", True):
            each.append([[(name, hall.places(name)[0])] * job["count"]])
            continue
        free = job["count"] - (name == anchor)
        fixed = [hall.places(name)[0]] * (name == anchor)
        each.append(
            [
                [(name, p) for p in (*fixed, *some)]
                for some in itertools.combinations_with_replacement(hall.places(name), free)
            ]
        )
    return [tuple(itertools.chain(*parts)) for parts in itertools.product(*each)]


def annual(site: dict[str, Any], card: dict[str, Any], usd: float) -> float:
    r, n = site["finance"]["discount_rate"], min(site["finance"]["life_years"], card["life_years"])
    return usd * (r / (1 - (1 + r) ** -n) + card["om_pu"])


def linear(card: dict[str, Any]) -> tuple[float, float, float]:
    """Efficiencies in and out, half way between no power and the rating; what a plan may use, MWh per MWh.

    At both ends of the window is left what the energy of one window can be off by at these efficiencies.
    """
    share = card["usable_power_pu"] if card["time_constant_s"] else 0.0
    taken, given = 2 / (1 + math.sqrt(1 + share)), 2 / (1 + math.sqrt(1 - share))
    eta_in = card["fixed_efficiency_charge"] * (1 + taken) / 2
    eta_out = card["fixed_efficiency_discharge"] / ((1 + given) / 2)
    reserve = max((1 - taken) / (1 + taken), (given - 1) / (given + 1))
    window_pu = (card["window_max_pu"] - card["window_min_pu"]) * card["end_energy_pu"]
    return eta_in, eta_out, (1 - 2 * reserve) * window_pu


def holds_stops(load: np.ndarray, falls: list[np.ndarray], card: dict[str, Any], power: float, energy: float,
                dt: float, window: int, pole: float, limit: float) -> bool:  # fmt: skip
    """Whether some dispatch leaves, at every step and for every fall, a recovery that keeps the window rule.

    Of the first-order filter. Recoveries are added at the slots where the last dispatch has none.
    """
    k, h = len(load), window + math.ceil(math.log(20) / -math.log(pole) - 1e-9)
    eta_in, eta_out, window_pu = linear(card)
    usable = 3600.0 * window_pu * energy
    # y_s = p_s - p_{s-1} + a y_{s-1}, periodic and from rest
    spectrum = np.exp(-2j * np.pi * np.arange(k) / k)
    settled = np.real(np.fft.ifft((1 - spectrum) / (1 - pole * spectrum)))
    into = np.array([[settled[(a - b) % k] for b in range(k)] for a in range(k)])
    rest = np.array([1.0, *((pole - 1) * pole ** np.arange(h - 1))])
    own = np.array([[rest[a - b] if a >= b else 0.0 for b in range(h)] for a in range(h)])
    tri = dt * np.tril(np.ones((h, h)))
    before = dt * np.tril(np.ones((k + 1, k)), -1)
    stored = np.hstack([eta_in * before, -before / eta_out, np.ones((k + 1, 1))])  # columns c, d, e_0
    y, y0 = np.hstack([into, -into, np.zeros((k, 1))]), into @ load
    lag = np.concatenate([np.roll(y, -n, axis=0) - y for n in range(1, window + 1)])
    lag0 = np.concatenate([np.roll(y0, -n) - y0 for n in range(1, window + 1)])
    main = [lag, -lag, stored[:k], -stored[:k]]
    right = [limit - lag0, limit + lag0, np.full(k, usable), np.zeros(k)]

    def recovery(s: int, fall: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of a recovery: by columns of the dispatch, by its own charge and discharge, and right side."""
        steps = (s + np.arange(h)) % k
        moved = np.zeros((h, 2 * k + 1))
        moved[np.arange(h), steps], moved[np.arange(h), k + steps] = -1.0, 1.0
        ours, theirs, known = y[steps] + own @ moved, np.hstack([own, -own]), y0[steps] - own @ fall[steps]
        past = (s - window + np.arange(window)) % k
        ours, theirs = np.vstack([y[past], ours]), np.vstack([np.zeros((window, 2 * h)), theirs])
        known = np.concatenate([y0[past], known])
        late = np.tile(np.arange(window, window + h), window)
        early = late - np.repeat(np.arange(1, window + 1), h)
        change = ours[late] - ours[early], theirs[late] - theirs[early], known[late] - known[early]
        held, gained = np.tile(stored[s], (h, 1)), np.hstack([eta_in * tri, -tri / eta_out])
        return (
            np.vstack([change[0], -change[0], held, -held]),
            np.vstack([change[1], -change[1], gained, -gained]),
            np.concatenate([limit - change[2], limit + change[2], np.full(h, usable), np.zeros(h)]),
        )

    taken: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    slots = [(s, fall) for fall in falls for s in range(k)]
    cycle = (stored[k] - stored[0])[None, :]
    while True:
        rows = [np.hstack([np.vstack(main), np.zeros((len(main[0]) * 2 + 2 * k, 2 * h * len(taken)))])]
        for i, (ours, theirs, _) in enumerate(taken):
            wide = np.zeros((len(ours), 2 * h * len(taken)))
            wide[:, 2 * h * i : 2 * h * (i + 1)] = theirs
            rows.append(np.hstack([ours, wide]))
        more = 2 * h * len(taken)
        answer = linprog(
            np.concatenate([np.full(k, 1.0), np.full(k, -1.0), np.full(1 + more, 1e-6)]),
            A_ub=csr_array(np.vstack(rows)), b_ub=np.concatenate([*right, *(each[2] for each in taken)]),
            A_eq=np.hstack([cycle, np.zeros((1, more))]), b_eq=[0.0],
            bounds=[(0, power)] * (2 * k) + [(0, usable)] + [(0, power)] * more, method="highs",
        )  # fmt: skip
        if answer.status == 2:
            return False
        assert answer.status == 0, answer.message
        x, fresh = answer.x[: 2 * k + 1], []
        for s, fall in slots:
            ours, theirs, value = recovery(s, fall)
            slack = np.append(np.full(2 * h * window, -1.0), np.zeros(2 * h))  # of the window rows alone
            best = linprog(
                np.append(np.zeros(2 * h), 1.0), A_ub=np.hstack([theirs, slack[:, None]]),
                b_ub=value - ours @ x + 1e-9, bounds=[(0, power)] * (2 * h) + [(0, None)], method="highs",
            )  # fmt: skip
            if best.status != 0 or best.fun > 1e-7:
                fresh.append((ours, theirs, value))
        if not fresh:
            return True
        taken += fresh


def storages(
    site: dict[str, Any], deck: dict[str, Any]
) -> list[tuple[float, str, float, float]]:  # fmt: skip
    """(annual cost, card, power, energy) of every storage that its cells allow, cheapest first."""
    spec, options = site["equipment"]["storage"], []
    for name, p, e in itertools.product(spec["cards"], spec["power_mw"], spec["energy_mwh"]):
        card = deck["storage"][name]
        if e * 3600 >= rated_s(card) * p:
            options.append(
                (
                    annual(site, card, 1000 * (card["cost_usd_per_kw"] * p + card["cost_usd_per_kwh"] * e)),
                    name,
                    p,
                    e,
                )
            )
    return sorted(options)


def rated_s(card: dict[str, Any]) -> float:
    """Energy over power that the rating asks for: usable power at the lowest voltage, at end of life."""
    if card["time_constant_s"] == 0.0:
        return float(card["discharge_min_s"])
    ohm = card["time_constant_s"] / 2.0 * card["end_resistance_pu"]  # of 1 J at 1 V: 2 F
    matched = card["window_min_pu"] / (4 * ohm)
    return 1.0 / (card["usable_power_pu"] * matched * card["fixed_efficiency_discharge"])


def prices(hall: Hall) -> tuple[float, float]:
    """(USD a year of a MW drawn all year, of a MW at the peak)."""
    energy = hall.site["energy"]
    demand, contract = energy["demand_charge_usd_per_mw_month"], energy["contract_charge_usd_per_mw_year"]
    return float(hall.weight @ hall.price), 12 * demand + contract


def best_storage(hall: Hall) -> list[tuple[float, float, tuple[str, float, float], Any]]:
    """(annual cost, loss MW, storage, schedule) worth a look: for each storage its schedule of least loss."""
    price_of_loss = 1.1 * sum(prices(hall))  # no less than a MW of loss costs with the transformer's for it
    site, clock, poi = hall.site, hall.site["clock"], hall.site["poi"]
    limit = 10.0 * poi["allocated_share"] / 1.015  # losses and leakage follow jobs and storage
    window, pole = math.floor(5.0 / clock["step_s"] + 1e-9), math.exp(-2 * math.pi * 0.1 * clock["step_s"])
    periods = 8760 * 3600 / clock["macro_s"]
    nominal = hall.rack["nominal_kw"] / 1e3
    idle = {
        name: job["racks"] * nominal * job.get("idle_pu", 0.33) * job.get("plateau_pu", 0.95)
        for name, job in site["jobs"].items()
    }
    waves = {}
    for name, job in site["jobs"].items():
        for place in hall.places(name):
            waves[name, place] = job["racks"] * nominal * hall.wave(name, *place)
    found: list[Any] = []
    known: Rows = {}

    def loss_of(wave: np.ndarray, card: dict[str, Any], p: float, e: float) -> float | None:
        return least_loss(wave, card, p, e, clock["step_s"], window, pole, limit, periods, known)

    def stops_held(schedule: Any, card: dict[str, Any], p: float, e: float) -> bool:
        """Any copy may stop at any step, and come back at any step."""
        load = np.sum([waves[part] for part in schedule], axis=0)
        falls = [waves[part] - idle[part[0]] for part in dict.fromkeys(schedule)]
        at = card, p, e, clock["step_s"], window, pole, limit
        return holds_stops(load, falls, *at) and all(holds_stops(load - fall, [-fall], *at) for fall in falls)

    least = math.inf
    for cost, name, p, e in storages(site, hall.deck):
        if cost > least and price_of_loss > 0.0:
            break
        for schedule in schedules(hall):
            loss = worst_case_loss(
                site,
                [(part[0], waves[part]) for part in schedule],
                partial(loss_of, card=hall.deck["storage"][name], p=p, e=e),
            )
            card = hall.deck["storage"][name]
            if loss is not None and stops_held(schedule, card, p, e):
                loss += card["no_load_pu"] * p + card["leakage_pu_per_h"] * e  # drawn at rest
                found.append((cost, loss, (name, p, e), schedule))
                least = min(least, cost + price_of_loss * loss)
    return sorted(found, key=lambda item: item[0] + price_of_loss * item[1])


def best(site: dict[str, Any], series: dict[str, Any], deck: dict[str, Any]) -> Best:
    """Return the cheapest design of a site whose sizes are all lists."""
    eq, top, stored = site["equipment"], Best(), None
    for fws_c, approach in itertools.product(eq["cooling"]["fws_supply_c"], eq["cdu"]["approach_k"]):
        hall = Hall(site, series, deck, fws_c, approach)
        if hall.holds:
            if stored is None:  # the same at every temperature: leakage is no part of the course
                stored = best_storage(hall)
            _setting(hall, stored, top)
    return top


def _setting(hall: Hall, stored: list[Any], top: Best) -> None:
    site, deck, eq = hall.site, hall.deck, hall.site["equipment"]
    mean_price, fixed_rate = prices(hall)
    pump = deck["fws_pump"][eq["fws_pump"]["cards"][0]]
    wall = deck["fan_wall"][eq["fan_wall"]["cards"][0]]
    machine = deck["eir_chiller"][eq["air_chiller"]["cards"][0]]
    wall_usd, machine_usd = (each["cost_usd_per_kw"] * each["capacity_kw"] for each in (wall, machine))
    airs = {
        (w, m): (
            annual(site, wall, w * wall_usd) + annual(site, machine, m * machine_usd),
            hall.air_power(wall, w, machine, m),
        )
        for w, m in itertools.product(eq["fan_wall"]["count"], eq["air_chiller"]["count"])
    }
    airs = {key: value for key, value in airs.items() if value[1] is not None}
    for n_cdu, n_dc, n_ch in itertools.product(
        eq["cdu"]["count"], eq["dry_cooler"]["count"], eq["chiller"]["count"]
    ):
        path = _heat_path(hall, n_cdu, n_dc, n_ch, pump)
        if path is None:
            continue
        capital, mech_kw, amounts = path
        for (walls, machines), (air_capital, air_kw) in airs.items():
            mech = (mech_kw + air_kw) / 1e3
            for tx_name, units in itertools.product(eq["transformer"]["cards"], eq["transformer"]["count"]):
                card = deck["transformer"][tx_name]
                tx_capital = annual(site, card, units * card["cost_usd_per_kva"] * 1000 * card["rating_mva"])
                for st_capital, loss, storage, schedule in stored:
                    floor = capital + air_capital + tx_capital + st_capital
                    least_usd = floor + mean_price * (hall.dynamic + hall.leak) / 1e3
                    if least_usd > top.cost and (hall.price >= 0.0).all():
                        continue
                    load = (hall.dynamic + hall.leak) / 1e3 + mech + loss
                    tx_loss = hall.transformer(card, units, load, schedule)
                    if tx_loss is None or (load + tx_loss).max() > site["poi"]["contract_max_mw"]:
                        continue
                    poi = load + tx_loss
                    cost = floor + float(hall.weight @ (hall.price * poi)) + fixed_rate * float(poi.max())
                    if cost < top.cost:
                        top.cost, top.schedule, top.fws_c = cost, schedule, hall.fws_c
                        top.sizes = {
                            "cdu": n_cdu, "dry_cooler": n_dc, "chiller": n_ch, "fan_wall": walls,
                            "air_chiller": machines, "transformer": (tx_name, units), "storage": storage,
                            **amounts,
                        }  # fmt: skip


def _heat_path(hall: Hall, n_cdu: int, n_dc: int, n_ch: int, pump: dict[str, Any]) -> Any:
    """(annual capital, electric power by hour, amounts) of a heat path; None where a static limit breaks."""
    site, deck, eq = hall.site, hall.deck, hall.site["equipment"]
    cdu, cell, chiller = (deck[name][eq[name]["cards"][0]] for name in ("cdu", "dry_cooler", "chiller"))
    buffer = deck["buffer"][eq["buffer"]["cards"][0]]
    if n_cdu < 2:
        return None
    running, spare = hall.cdu(cdu, n_cdu), hall.cdu(cdu, n_cdu - 1)
    if running is None or spare is None:
        return None
    pump_kw, m, hx, _ = running

    def fws_kw(flow: float) -> float:
        head = (
            pump["head_fixed_kpa"] + pump["head_friction_kpa"] * (flow / pump["flow_reference_kg_per_s"]) ** 2
        )
        return float(head * flow / (1000 * RHO_WATER) / pump["efficiency"])

    heat = hx + fws_kw(m)
    flows = [v for v in eq["cdu"]["flow_l_per_min"] if v >= hall.flow / (n_cdu - 1)]
    pumps = [f for f in eq["fws_pump"]["flow_kg_per_s"] if f >= max(m, spare[1])]
    tanks = [
        v
        for v in eq["buffer"]["volume_m3"]
        if 1000 * v >= chiller["loop_l_per_kw_min"] * n_ch * chiller["capacity_kw"] - 1e-9
    ]
    if not (flows and pumps and tanks):
        return None
    water_c, (cap, _cop) = hall.fws_c + heat / (CP_WATER * m), hall.chiller(chiller)
    full = np.ones(len(hall.db))
    for cells, machines in ((n_dc, n_ch - 1), (n_dc - 1, n_ch)):
        if (hall.fan_duty(cell, cells, full, water_c, m, hall.db) + machines * cap < heat).any():
            return None
    power = hall.rejection(cell, n_dc, chiller, n_ch, m, heat)
    if power is None:
        return None
    cdu_usd = cdu["cost_usd_per_kw"] * cdu["capacity_kw"] + cdu["cost_usd_per_l_per_min"] * min(flows)
    capital = (
        annual(site, cdu, n_cdu * cdu_usd)
        + annual(site, pump, pump["cost_usd_per_kg_per_s"] * min(pumps))
        + annual(site, buffer, buffer["cost_usd_per_m3"] * min(tanks))
        + annual(site, cell, n_dc * cell["cost_usd_per_kw"] * cell["capacity_kw"])
        + annual(site, chiller, n_ch * chiller["cost_usd_per_kw"] * chiller["capacity_kw"])
    )
    return (
        capital,
        power + pump_kw + fws_kw(m),
        {"cdu_flow": min(flows), "fws_pump": min(pumps), "buffer": min(tanks)},
    )
