"""Representative days and the year: series joined on UTC, real medoids, design days, a plan on all days."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.optimize import minimize

import codesign
from codesign import catalogue, climate, days, evaluation, readings, year
from codesign.design import Design, Plan, Sizes
from codesign.errors import InputError
from codesign.site import Site
from codesign.sizing import unit_size

ROOT = Path(__file__).parents[1]
TOY, DALLAS = ROOT / "instances" / "toy_1mw", ROOT / "instances" / "hall_20mw"
HOTTEST = "2023-08-18"
CHOSEN = "[representative_days]\nnumber = 8\n"


def folder(place: Path, listed: str | None = None, weather: Path = DALLAS) -> Path:
    """Write the toy with series of a whole year; `listed` takes the place of its days."""
    text = (TOY / "site.toml").read_text()
    start, end = text.index("[[days]]"), text.index("[clock]")
    text = text if listed is None else f"{text[:start]}{listed}\n{text[end:]}"
    (place / "site.toml").write_text(text)
    shutil.copy(TOY / "training_notch.csv", place)
    shutil.copy(weather / "weather.csv", place)
    shutil.copy(DALLAS / "price.csv", place)
    return place


@pytest.fixture(scope="module")
def dallas(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return codesign.load(folder(tmp_path_factory.mktemp("dallas")))


@pytest.fixture(scope="module")
def whole(dallas: Site) -> days.Year:
    return days.days_of_year(dallas)


@pytest.fixture(scope="module")
def stored() -> Design:
    return Design.load(ROOT / "tests" / "designs" / "toy_1mw")


# the series


def test_series_cover_the_year_and_the_hours_of_the_toy(dallas: Site) -> None:
    weather, price = dallas.series.weather, dallas.series.price
    assert len(weather["time"]) == 8760
    assert len(price["time"]) == 8760 + 5
    assert price["price_usd_per_mwh"][-5:] == price["price_usd_per_mwh"][:5]  # as the comment says
    toy = codesign.load(TOY)
    for each, other, value in (("weather", weather, "dry_bulb_c"), ("price", price, "price_usd_per_mwh")):
        there = dict(zip(other["time"], other[value], strict=True))
        rows = getattr(toy.series, each)
        assert all(there[time] == v for time, v in zip(rows["time"], rows[value], strict=True))


def test_hottest_hours_are_the_dear_ones_only_when_joined_on_utc(dallas: Site, whole: days.Year) -> None:
    """50 hottest hours: 956 USD/MWh on average joined on UTC, 49 row by row."""
    day = whole.dates.index(HOTTEST)
    assert (whole.dry_bulb_c[day, 17], whole.price_usd_per_mwh[day, 17]) == (43.0, 831.805)
    price = climate.price_of(dallas)
    assert price.value[price.time_s.index(readings.utc_s(f"{HOTTEST}T22:00", 0))] == 831.805
    order = np.argsort(-whole.dry_bulb_c.ravel(), kind="stable")[:50]
    assert whole.price_usd_per_mwh.ravel()[order].mean() == pytest.approx(956, abs=0.5)
    by_row = np.array(dallas.series.price["price_usd_per_mwh"])[order]
    assert by_row.mean() == pytest.approx(49, abs=0.5)


def test_a_year_is_365_days_by_24_hours(whole: days.Year) -> None:
    assert whole.dates[0] == "2023-01-01"
    assert whole.dates[-1] == "2023-12-31"
    assert whole.dry_bulb_c.shape == whole.price_usd_per_mwh.shape == (365, 24)
    features = whole.features()
    assert features.shape == (365, 48)
    assert np.allclose([features[:, :24].mean(), features[:, 24:].mean()], 0.0)
    assert np.allclose([features[:, :24].std(), features[:, 24:].std()], 1.0)


def test_three_days_are_no_year() -> None:
    with pytest.raises(InputError, match="3 whole days"):
        days.choose(codesign.load(TOY), 2)


# medoids


@pytest.mark.parametrize("number", [1, 8, 30])
def test_medoids_are_the_middle_of_their_clusters(whole: days.Year, number: int) -> None:
    """Brute force: no member has a smaller sum of distances; every day stands in one cluster."""
    features = whole.features()
    clusters = days.medoids(features, number)
    assert len(clusters) == number
    assert sorted(i for cluster in clusters for i in cluster.members) == list(range(365))
    for cluster in clusters:
        sums = {
            i: sum(float(np.linalg.norm(features[i] - features[j])) for j in cluster.members)
            for i in cluster.members
        }
        assert sums[cluster.medoid] <= min(sums.values()) * (1 + 1e-12)


def test_clusters_that_stand_apart_are_found() -> None:
    rng = np.random.default_rng(3)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    kind = rng.integers(0, 3, 60)
    features = centres[kind] + rng.normal(0.0, 0.5, (60, 2))
    found = {frozenset(cluster.members) for cluster in days.medoids(features, 3)}
    assert found == {frozenset(np.flatnonzero(kind == k).tolist()) for k in range(3)}


def test_as_many_clusters_as_days_and_equal_days() -> None:
    assert [c.medoid for c in days.medoids(np.eye(4), 4)] == [0, 1, 2, 3]
    same = days.medoids(np.zeros((5, 3)), 2)
    assert sum(len(cluster.members) for cluster in same) == 5


@pytest.mark.parametrize("number", [1, 6, 30])
def test_clusters_are_those_of_another_librarys_ward(whole: days.Year, number: int) -> None:
    features = whole.features()
    labels = hierarchy.cut_tree(hierarchy.linkage(features, "ward"), n_clusters=[number])[:, 0]
    theirs = {frozenset(np.flatnonzero(labels == k).tolist()) for k in range(number)}
    assert {frozenset(cluster.members) for cluster in days.medoids(features, number)} == theirs


# the same on every processor


UP_AND_DOWN = np.random.default_rng(7)


def nudged(values: Any) -> Any:
    """Return numbers with the last bits changed, each its own way: up to 4 units in the last place."""
    values = np.asarray(values, float)
    return values + UP_AND_DOWN.integers(-4, 5, values.shape) * np.spacing(values)


def test_ties_go_to_the_earliest_days_whatever_the_last_bits_say() -> None:
    """Twelve days a kelvin apart: every neighbour is as near, and the middle of two is either of them."""
    steps = np.arange(12.0)[:, None]
    first = days.medoids(steps, 5)
    assert [(c.medoid, c.members) for c in first] == [
        (1, (0, 1, 2, 3)), (4, (4, 5)), (6, (6, 7)), (8, (8, 9)), (10, (10, 11)),
    ]  # fmt: skip
    for _ in range(20):
        assert days.medoids(nudged(steps), 5) == first
    assert days._first_least(nudged([3.0, 1.0, 2.0, 1.0])) == 1


def last_bits(monkeypatch: pytest.MonkeyPatch, made: str) -> None:
    """Change the last bits of one thing that the choice of days is made of."""
    if made == "solve":
        solve = np.linalg.lstsq
        monkeypatch.setattr(np.linalg, "lstsq", lambda *a, **k: (nudged(solve(*a, **k)[0]),))
    elif made == "weights":
        weigh = days.calibrated
        monkeypatch.setattr(days, "calibrated", lambda *a: nudged(weigh(*a)))
    elif made == "needs":
        need = days.needs
        monkeypatch.setattr(days, "needs", lambda *a: {k: nudged(v) for k, v in need(*a).items()})
    elif made == "distances":
        distance = days.cdist
        monkeypatch.setattr(days, "cdist", lambda *a: nudged(distance(*a)))
    else:
        features = days.Year.features
        monkeypatch.setattr(days.Year, "features", lambda self: nudged(features(self)))


@pytest.mark.parametrize("made", ["solve", "weights", "needs", "distances", "features"])
def test_the_last_bits_of_a_processor_change_no_site(
    dallas: Site, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    wanted = {"representative_days": {"number": 6}}
    site = dallas.with_(wanted)
    last_bits(monkeypatch, made)
    other = dallas.with_(wanted)
    assert (other.days, other.digest) == (site.days, site.digest)
    for _ in range(10):
        assert days.choose(dallas, 6) == site.days


@pytest.mark.parametrize("number", [1, 6, 60, 366])
def test_weights_are_millionths_of_a_day_that_sum_to_a_year(number: int) -> None:
    size = np.random.default_rng(number).uniform(0.01, 1.0, number)
    weights = days.rounded(365.0 * size / size.sum())
    assert sum(round(1e6 * weight) for weight in weights) == 365_000_000
    assert all(weight == round(1e6 * weight) / 1e6 for weight in weights)
    assert np.abs(365.0 * size / size.sum() - weights).max() < 1e-6 * number


def test_a_constant_price_asks_for_one_sum_twice() -> None:
    """What two equal conditions weigh is no matter of rounding either."""
    size, values = np.array([200.0, 100.0, 65.0]), np.array([[0.3, 0.3, 0.3], [5.0, 20.0, 28.0]])
    found = days.calibrated(size, values, np.array([0.3, 14.0]))
    assert found.sum() == pytest.approx(365.0, rel=1e-12)
    assert values[1] @ found / 365.0 == pytest.approx(14.0, rel=1e-12)
    assert found == pytest.approx(days.calibrated(size, values[1:], np.array([14.0])), rel=1e-9)


# the choice


@pytest.mark.parametrize("number", [4, 8, 12])
def test_chosen_days_stand_for_the_year(dallas: Site, whole: days.Year, number: int) -> None:
    chosen = days.choose(dallas, number)
    real = [day for day in chosen if day.weight_days > 0.0]
    assert len(real) == number
    assert sum(day.weight_days for day in real) == pytest.approx(365.0, rel=1e-12)
    assert {day.date for day in chosen} <= set(whole.dates)
    assert len({day.date for day in chosen}) == len(chosen)
    assert {day.date for day in days.design_days(dallas)} <= {day.date for day in chosen}
    at = [whole.dates.index(day.date) for day in real]
    weights = [day.weight_days for day in real]
    for values in (whole.dry_bulb_c, whole.price_usd_per_mwh):
        mean = np.average(values[at].mean(axis=1), weights=weights)
        assert mean == pytest.approx(values.mean(), rel=1e-6)  # weights are millionths of a day
    assert dallas.with_({"days": [day.model_dump() for day in chosen]}).days == chosen


def test_calibrated_weights_are_the_nearest_that_keep_the_means() -> None:
    """Against a constrained minimiser; a condition that no weights above 0 meet is left out, last first."""
    size, values = np.array([200.0, 100.0, 60.0, 5.0]), np.array([[30, 40, 60, 500], [5, 20, 28, 31.0]])
    mean = np.array([50.0, 14.0])
    found = days.calibrated(size, values, mean)
    constraints = [
        {"type": "eq", "fun": lambda w: w.sum() - 365.0},
        {"type": "eq", "fun": lambda w: values @ w / 365.0 - mean},
    ]
    best = minimize(lambda w: ((w - size) ** 2 / size).sum(), size, constraints=constraints, tol=1e-12)
    assert found == pytest.approx(best.x, rel=1e-4)
    assert values @ found / 365.0 == pytest.approx(mean, rel=1e-12)
    without = days.calibrated(size, values, np.array([50.0, 40.0]))
    assert values[0] @ without / 365.0 == pytest.approx(50.0, rel=1e-12)
    assert days.calibrated(size, values, np.array([5000.0, 14.0])).tolist() == size.tolist()


def test_chosen_days_give_the_years_price_of_load(dallas: Site, whole: days.Year) -> None:
    """Sum of price times the proxy of the load; by the clusters' sizes alone it misses by a tenth."""
    cost = days.needs(whole, 26.0)["dearest"]

    def miss(weighed: list[tuple[int, float]]) -> float:
        return float(sum(weight * cost[day] for day, weight in weighed) / cost.sum() - 1.0)

    chosen = [(whole.dates.index(d.date), d.weight_days) for d in days.choose(dallas, 8, design=False)]
    assert abs(miss(chosen)) < 0.01
    assert miss([(c.medoid, len(c.members)) for c in days.medoids(whole.features(), 8)]) < -0.09


def test_design_days_of_dallas(dallas: Site, whole: days.Year) -> None:
    """The hottest day, the longest heat and the dearest afternoon are three days."""
    need = {name: whole.dates[int(v.argmax())] for name, v in days.needs(whole, 26.0).items()}
    assert need == {"hottest": HOTTEST, "cooling": "2023-08-26", "dearest": "2023-08-25"}
    assert [(day.date, day.weight_days) for day in days.design_days(dallas)] == [
        (date, 0.0) for date in sorted(need.values())
    ]
    assert days.free_c(dallas) == 26.0


def test_needs_by_hand() -> None:
    cool, hot = np.full(24, 20.0), np.full(24, 20.0)
    hot[12] = 30.0
    price = np.full((2, 24), 50.0)
    air = np.array([cool, hot])
    need = days.needs(days.Year(("a", "b"), air, air, air, price), 25.0)
    assert need["hottest"].tolist() == [20.0, 30.0]
    assert need["cooling"].tolist() == [0.0, 5.0]
    assert need["dearest"].tolist() == pytest.approx([1200.0, 1200.0 + 50.0 * 5 * days.LOAD_PU_PER_K])


# the site file


def test_a_site_file_that_leaves_the_choice(dallas: Site, tmp_path: Path) -> None:
    site = codesign.load(folder(tmp_path, CHOSEN))
    assert site.days == days.choose(dallas, 8)
    (tmp_path / "saved").mkdir()
    assert codesign.load(site.save(tmp_path / "saved")) == site
    assert site.with_({"poi.contract_max_mw": 1.5}).days == site.days
    fewer = dallas.with_({"representative_days": {"number": 4, "design_days": False}})
    assert fewer.days == days.choose(dallas, 4, design=False)
    assert len(fewer.days) == 4


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (CHOSEN + '[[days]]\ndate = "2023-08-18"\nweight_days = 365', "representative_days = both"),
        ("", "days = missing: expected either"),
        (CHOSEN.replace("8", "0"), "representative_days.number = 0: expected a whole number from 1 to 60"),
        (CHOSEN + "design_day = true", "nearest: design_days"),
        (CHOSEN + "design_days = 1", "representative_days.design_days = 1"),
        ("representative_days = 3", "expected a table"),
    ],
)
def test_days_are_listed_or_chosen(tmp_path: Path, listed: str, said: str) -> None:
    place = folder(tmp_path, listed)
    if listed.startswith("representative"):  # a key of the file, not of the table before it
        text = (place / "site.toml").read_text().replace(listed, "")
        (place / "site.toml").write_text(f"{listed}\n{text}")
    with pytest.raises(InputError) as error:
        codesign.load(place)
    assert said in str(error.value)
    assert len(error.value.faults) == 1


def test_days_are_not_chosen_from_series_of_three_days(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"site\.toml: climate\.series = 3 whole days") as error:
        codesign.load(folder(tmp_path, CHOSEN, weather=TOY))
    assert len(error.value.faults) == 1


# the year


def changed(site: Site, plan: Plan, contract_mw: float | None = None, **counts: int) -> Plan:
    sizes = {name: unit_size(site, name, str(plan.sizes[name].card), n) for name, n in counts.items()}
    if contract_mw is not None:
        sizes["contract"] = replace(plan.sizes["contract"], value=contract_mw)
    return replace(plan, sizes=Sizes({**plan.sizes, **sizes}))


def ample(site: Site, plan: Plan, contract_mw: float | None = None) -> Plan:
    """Return the plan with more of every machine than its own days ask for."""
    more = changed(site, plan, contract_mw, chiller=4, air_chiller=5, transformer=3)
    return replace(more, sizes=Sizes({**more.sizes, "buffer": replace(plan.sizes["buffer"], value=6.0)}))


def test_on_its_own_days_a_plan_costs_what_it_costs(stored: Design) -> None:
    site, plan = stored.site, stored.plan
    assert plan.setting is not None
    exact = evaluation.evaluate(site, plan.setting, plan.sizes, plan.schedule)
    found = year.evaluate_year(site, plan, on=site.days)
    assert found.cost_usd_per_year == pytest.approx(exact.cost_usd_per_year, rel=1e-12)
    assert [item.name for item in found.cost_items] == [item.name for item in exact.cost_items]
    for name, column in exact.hours.items():
        assert found.hours[name].tolist() == column.tolist()


def test_a_plan_for_the_hottest_day_holds_all_year(dallas: Site, stored: Design) -> None:
    plan = ample(dallas, stored.plan, contract_mw=1.1)
    found = year.evaluate_year(dallas, plan)
    assert found.hours.rows == 365 * 24
    assert found.hours["weight_h_per_year"].sum() == 8760.0
    assert not found.shortages
    assert found.unserved_usd_per_year == 0.0
    assert year.add_worst(dallas, plan, hour_step_h=12) is dallas


def test_the_highest_hour_is_missed_by_as_much_at_any_step(dallas: Site, stored: Design) -> None:
    """A contract 0.1 kW below the peak at 17:00: short in that hour, and in the 3 h and 12 h around it."""
    peak = float(year.evaluate_year(dallas, ample(dallas, stored.plan), hour_step_h=1).hours["poi_mw"].max())
    plan = ample(dallas, stored.plan, contract_mw=peak - 1e-4)
    for step in (1, 3, 12):
        found = year.evaluate_year(dallas, plan, hour_step_h=step)
        (short,) = found.shortages
        assert (short.limit, short.date, short.hour_of_day) == ("contract", HOTTEST, 17.0)
        assert short.most_mw == pytest.approx(1e-4, rel=1e-6)
        assert found.hours_short == step
        assert found.unserved_power_mwh == short.energy_mwh == pytest.approx(1e-4 * step, rel=1e-6)
        assert found.unserved_usd_per_year == 10_000.0 * short.energy_mwh
        assert found.worst_day == HOTTEST
    served = year.serving_usd_per_year(dallas, plan, "contract", 1e-4, 43.0)
    assert served > 1.0  # dearer to serve than to miss for an hour: no day is due
    assert year.add_worst(dallas, plan, hour_step_h=1) is dallas


def test_the_demand_charge_is_billed_by_calendar_month(dallas: Site, stored: Design) -> None:
    """By hand from the hours: 12 peaks at 8000 USD per MW; the plan's bill is 12 times the highest."""
    found = year.evaluate_year(dallas, stored.plan, hour_step_h=1)
    months = np.array([int(date[5:7]) for date in found.hours["date"].tolist()])
    peaks = [float(found.hours["poi_mw"][months == month].max()) for month in range(1, 13)]
    assert found.demand_usd_per_year == pytest.approx(8000 * sum(peaks), rel=1e-12)
    assert found.demand_usd_per_year < 12 * 8000 * max(peaks)
    assert peaks[7] == max(peaks)  # August
    claim = year.claim(found)
    assert claim.demand_usd_per_year == found.demand_usd_per_year
    flat = dallas.with_({"energy.demand_charge_usd_per_mw_month": 0})
    free = year.evaluate_year(flat, stored.plan, hour_step_h=1)
    assert found.cost_usd_per_year - free.cost_usd_per_year == pytest.approx(8000 * sum(peaks), rel=1e-9)


def test_shortages_are_the_margins_of_the_evaluation(dallas: Site, stored: Design) -> None:
    """Each broken limit that moves with the weather, in each state, by the same amount at the same hour."""
    less: list[dict[str, Any]] = [
        {"chiller": 2, "air_chiller": 2, "transformer": 1},
        {"chiller": 0, "dry_cooler": 1, "air_chiller": 1},
        {"dry_cooler": 0, "contract_mw": 0.97},
    ]
    site = dallas.with_({"poi.interconnection_limit_mw": 1.1, "clock.hour_step_h": 6})
    seen = set()
    for counts in less:
        found = year.evaluate_year(site, changed(site, stored.plan, **counts))
        margins = {
            f"{m.limit} @ {m.place.split(', 2023')[0]}": m
            for m in found.broken
            if m.limit in (*year.HEAT, *year.POWER)
        }
        assert margins.keys() == found.short_mw.keys()
        for name, margin in margins.items():
            scale = {"kw": 1e-3, "mva": site.poi.power_factor, "mw": 1.0}[margin.unit]
            assert found.short_mw[name].max() == pytest.approx(-scale * margin.margin, rel=1e-9)
            at = int(found.short_mw[name].argmax())
            assert found.hours["date"][at] in margin.place or margin.limit == "interconnection"
        seen |= {name.split(" @ ")[0] for name in margins}
        assert found.unserved_heat_mwh + found.unserved_power_mwh > 0.0
    assert seen == {*year.HEAT, *year.POWER}


def test_unserved_heat_against_the_physics_of_one_hour(dallas: Site, stored: Design) -> None:
    plan = changed(dallas, stored.plan, chiller=2)
    found = year.evaluate_year(dallas, plan)
    assert plan.setting is not None
    one = dallas.with_({"days": [{"date": HOTTEST, "weight_days": 365}]})
    exact = evaluation.evaluate(one, plan.setting, plan.sizes, plan.schedule)
    worst = min(m.margin for m in exact.margins if m.limit == "heat_rejection")
    day = found.hours["date"] == HOTTEST
    assert worst < 0.0
    assert found.hours["unserved_heat_mw"][day].max() == pytest.approx(-worst / 1e3, rel=1e-9)
    assert sum(found.unserved_by_day_mwh.values()) == pytest.approx(
        found.unserved_heat_mwh + found.unserved_power_mwh, rel=1e-12
    )


def test_a_plan_for_mild_days_gets_its_worst_day(dallas: Site, stored: Design) -> None:
    """At weight 0, once: the others miss by less; and a day that is there is not added again."""
    mild = dallas.with_({"days": [{"date": "2023-10-10", "weight_days": 365}], "clock.hour_step_h": 6})
    plan = changed(mild, stored.plan, chiller=2)
    found = year.evaluate_year(mild, plan)
    more = year.add_worst(mild, plan)
    assert more.days[:1] == mild.days
    assert all(day.weight_days == 0.0 for day in more.days[1:])
    assert more.days[1].date == found.worst_day
    assert 1 <= len(more.days) - 1 <= 3
    assert len(year.add_worst(mild, plan, 1).days) == 2
    assert year.add_worst(more, plan) is more
    assert year.add_worst(mild, plan, unserved_usd_per_mwh=1.0) is mild


def test_serving_takes_whole_units(dallas: Site, stored: Design) -> None:
    plan = stored.plan
    assert plan.setting is not None
    each = catalogue.build(dallas, "chiller", str(plan.sizes["chiller"].card)).capacity_at_kw(
        plan.setting.fws_supply_c, 43.0
    )
    unit = {
        name: evaluation.annual_usd(dallas, name, unit_size(dallas, name, str(plan.sizes[name].card), 1))
        for name in ("chiller", "air_chiller", "transformer")
    }
    for machines in (0.5, 1.5):  # at most so many chillers; cells may be cheaper
        served = year.serving_usd_per_year(dallas, plan, "heat_rejection", machines * each / 1e3, 43.0)
        assert 0.0 < served <= np.ceil(machines) * unit["chiller"]
    assert year.serving_usd_per_year(dallas, plan, "air_chiller_capacity", 0.001, 43.0) == unit["air_chiller"]
    assert year.serving_usd_per_year(dallas, plan, "hot_spot", 0.5, 43.0) == unit["transformer"]
    assert year.serving_usd_per_year(dallas, plan, "contract", 0.5, 43.0) == 30_000.0


def test_a_plan_without_sizes_is_refused(dallas: Site) -> None:
    none = Plan(outcome=codesign.Outcome.INFEASIBLE, reason="", site_name="x")
    with pytest.raises(InputError, match="a plan with sizes"):
        year.evaluate_year(dallas, none)
