"""Site files: what loads, what is refused and how it is said, changes, round trips."""

import json
import os
import pickle
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesign import toml, units
from codesign.errors import Fault, InputError, nearest
from codesign.fields import FrozenDict, Range
from codesign.site import Site, json_schema, load, parse_assignment

TOY = Path(__file__).parent.parent / "instances" / "toy_1mw"

Edit = Callable[[str], str]


@pytest.fixture(scope="module")
def toy() -> Site:
    return load(TOY)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the toy to spoil."""
    return _copied(tmp_path / "toy")


def _copied(folder: Path) -> Path:
    folder.mkdir()
    for name in ("site.toml", "weather.csv", "price.csv", "training_notch.csv"):
        (folder / name).write_bytes((TOY / name).read_bytes())
    return folder


def _replace(folder: Path, old: str, new: str, file: str = "site.toml") -> None:
    """Replace the first match of a pattern; it must be there."""
    text = (folder / file).read_text(encoding="utf-8")
    made, times = re.subn(old, new.replace("\\", r"\\"), text, count=1, flags=re.M)
    assert times == 1, old
    (folder / file).write_text(made, encoding="utf-8")


def _faults(act: Callable[[], Any]) -> dict[str, Fault]:
    with pytest.raises(InputError) as caught:
        act()
    assert str(caught.value)
    return {fault.key: fault for fault in caught.value.faults}


def _change(site: Site, **changed: Any) -> dict[str, Fault]:
    return _faults(lambda: site.with_({key.replace("__", "."): value for key, value in changed.items()}))


# loading


def test_attributes_mirror_the_file(toy: Site) -> None:
    raw = tomllib.loads((TOY / "site.toml").read_text())
    assert toy.finance.discount_rate == raw["finance"]["discount_rate"]
    assert toy.jobs["pretrain"].count == raw["jobs"]["pretrain"]["count"]
    assert list(toy.jobs) == list(raw["jobs"])
    assert toy.equipment.cdu.count == tuple(raw["equipment"]["cdu"]["count"])
    assert [day.date for day in toy.days] == [day["date"] for day in raw["days"]]
    assert len(toy.series.weather["time"]) == len(toy.series.price["time"]) == 72


def test_what_is_not_said_has_a_default(toy: Site) -> None:
    assert toy.scenarios.chiller_trip.off_s == 45.0
    assert toy.scenarios.job_abort_restart.job is None
    assert (toy.jobs["tune"].plateau_pu, toy.jobs["tune"].idle_pu, toy.jobs["tune"].pod) == (0.95, 0.33, None)
    assert (toy.jobs["pretrain"].averaging_s, toy.jobs["tune"].averaging_s) == (2.0, None)
    assert (toy.poi.window_mw, toy.poi.window_s, toy.poi.band_hz, toy.poi.filter_order) == (
        10.0, 5.0, (0.1, 55.0), 1,
    )  # fmt: skip


def test_a_folder_a_file_and_json_are_one_site(toy: Site, copy: Path) -> None:
    assert load(TOY / "site.toml") == load(str(TOY)) == toy
    raw = tomllib.loads((copy / "site.toml").read_text())
    (copy / "site.toml").unlink()
    (copy / "site.json").write_text(json.dumps(raw))
    assert load(copy) == load(copy / "site.json") == toy


def test_a_date_of_toml_is_a_date(toy: Site, copy: Path) -> None:
    _replace(copy, r'date = "([0-9-]+)"', f"date = {toy.days[0].date}")
    assert load(copy) == toy


def test_a_site_is_read_only(toy: Site) -> None:
    with pytest.raises(ValueError, match="frozen"):
        toy.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError, match="read-only"):
        toy.jobs["pretrain"] = toy.jobs["tune"]
    with pytest.raises(TypeError, match="read-only"):
        toy.series.weather.update(time=())


def test_text(toy: Site) -> None:
    assert str(toy).startswith("site toy_1mw: 8 racks, 8 in use\n")
    assert toy.digest[:12] in str(toy)
    assert repr(toy) == f"Site('toy_1mw', {toy.digest[:12]})"


# equality and round trips


def test_save_and_load(toy: Site, tmp_path: Path) -> None:
    site = toy.with_(
        {
            "description": 'a "quoted" \\ text\nof two lines \x7f',
            "equipment.cdu.flow_l_per_min": {"min": 400.0, "max": 1 / 3 + 500},
            "cards": {"eir_chiller": {"air-100": {"capft_c": [1, 0.001, 0, 0, 0, 0]}}},
            "scenarios.chiller_trip.units": 1,
        }
    )
    site.save(tmp_path / "a")
    again = load(tmp_path / "a")
    assert again == site
    assert hash(again) == hash(site)
    assert (again.digest, again.cards_digest) == (site.digest, site.cards_digest)
    again.save(tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["cards.toml", "price.csv", "site.toml", "training_notch.csv", "weather.csv"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_save_does_not_overwrite_a_site(toy: Site, copy: Path) -> None:
    before = (copy / "site.toml").read_bytes()
    with pytest.raises(InputError, match="a folder without one"):
        toy.save(copy)
    assert (copy / "site.toml").read_bytes() == before


def test_the_order_of_keys_does_not_count(toy: Site, copy: Path) -> None:
    def turned(data: Any) -> Any:
        return {key: turned(data[key]) for key in reversed(data)} if isinstance(data, dict) else data

    raw = tomllib.loads((copy / "site.toml").read_text())
    (copy / "site.toml").write_text(toml.dumps(turned(raw)))
    assert list(load(copy).jobs) != list(toy.jobs)
    assert load(copy) == toy


def test_the_content_of_series_counts(toy: Site, copy: Path) -> None:
    _replace(copy, r"T12:00,(-?[0-9.]+),", r"T12:00,12.25,", "weather.csv")
    assert load(copy) != toy
    assert toy != "toy"


def test_overrides_count_in_the_digest_of_cards(toy: Site) -> None:
    site = toy.with_({'cards.chiller."warm-250".cost_usd_per_kw': 310})
    assert site.cards_digest != toy.cards_digest
    assert toy.with_({"poi.contract_max_mw": 1.5}).cards_digest == toy.cards_digest


def test_pickle(toy: Site) -> None:
    again = pickle.loads(pickle.dumps(toy))
    assert again == toy
    assert isinstance(again.jobs, FrozenDict)


def test_plain_data_says_everything(toy: Site) -> None:
    data = toy.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["scenarios"]["nominal_hot"] == {"duration_s": toy.scenarios.nominal_hot.duration_s}
    assert tomllib.loads(toml.dumps(data)) == data


# with_


def test_changes_by_dotted_path(toy: Site) -> None:
    days = [day.weight_days for day in toy.days]
    site = toy.with_(
        {"poi.contract_max_mw": 1.1, "days.0.weight_days": days[0] + 1, "days.1.weight_days": days[1] - 1}
    )
    assert site.poi.contract_max_mw == 1.1
    assert site.days[0].weight_days == days[0] + 1
    assert toy.days[0].weight_days == days[0]
    assert toy.with_({}) == toy.with_({"poi.contract_max_mw": toy.poi.contract_max_mw}) == toy


def test_a_change_is_a_copy(toy: Site) -> None:
    volumes = [4.0, 6.0]
    site = toy.with_({"equipment.buffer.volume_m3": volumes})
    volumes.append(8.0)
    assert site.equipment.buffer.volume_m3 == (4.0, 6.0)


def test_an_imperial_change_replaces_the_metric_key(toy: Site) -> None:
    site = toy.with_({"climate.altitude_ft": 1000, "equipment.cooling.fws_supply_f": [86, 95]})
    assert site.climate.altitude_m == pytest.approx(304.8)
    assert site.equipment.cooling.fws_supply_c == pytest.approx((30.0, 35.0))


@pytest.mark.parametrize(
    ("path", "value", "near"),
    [
        ("poi.contract_mx_mw", 1.0, "contract_max_mw"),
        ("pio.contract_max_mw", 1.0, "poi"),
        ("jobs.pretrian.count", 1, "pretrain"),
        ("equipment.cdu.cuont", [1], "count"),
        ("finance", {"discount_rat": 0.1, "life_years": 15, "currency_year": 2025}, "discount_rate"),
        ("cards.chiler", {"warm-250": {"om_pu": 0.1}}, "chiller"),
        ("cards.chiller.warm-25.om_pu", 0.1, "warm-250"),
        ("cards.chiller.warm-250.om_pv", 0.1, "om_pu"),
        ("equipment.cdu.cards", ["cdu-601"], "cdu-600"),
        ("pods.a.rack", "gb200-nvl27", "gb200-nvl72"),
        ("jobs.pretrain.pod", "b", None),
        ("days.3.weight_days", 1, None),
        ("days.-1.weight_days", 1, None),
        ("name.first", 1, None),
        ("poi..rule", 1, None),
        ("", 1, None),
        ("climate.series", "other.csv", None),
        ("climate.series", "price.csv", None),
    ],
)
def test_a_path_that_leads_nowhere(toy: Site, path: str, value: Any, near: str | None) -> None:
    faults = _faults(lambda: toy.with_({path: value}))
    assert near is None or near in {fault.nearest for fault in faults.values()}


def test_another_rule_brings_its_own_numbers(toy: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from codesign import poi, schema

    more = {**poi.RULES, "other": {**poi.RULES["ercot_2026_draft"], "window_mw": 20.0, "window_s": 1.0}}
    monkeypatch.setattr(poi, "RULES", more)
    monkeypatch.setattr(schema, "RULES", more)
    assert toy.with_({"poi.rule": "other"}).poi.window_mw == 20.0
    changed = toy.with_({"poi.window_mw": 15.0}).with_({"poi.rule": "other"})
    assert (changed.poi.window_mw, changed.poi.window_s) == (15.0, 1.0)
    assert toy.with_({"poi.rule": "other", "poi.window_s": 5.0}).poi.window_s == 5.0


# wrong input


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ("^discount_rate", "discount_rat", "finance.discount_rat", "one of the keys"),
        (r"^volume_m3 = .*", "volume_m3 = [-4.0]", "equipment.buffer.volume_m3.0", "above 0"),
        (r"^altitude_m = .*", "altitude_m = nan", "climate.altitude_m", "a number from -430"),
        (r"^altitude_m = .*", "altitude_m = inf", "climate.altitude_m", "a number from -430"),
        (r"^altitude_m = .*", "altitude_m = true", "climate.altitude_m", "a number from -430"),
        (r"^altitude_m = .*", 'altitude_m = "142"', "climate.altitude_m", "a number from -430"),
        (r"^altitude_m = .*", f"altitude_m = {10**400}", "climate.altitude_m", "[m]"),
        (r"^fws_supply_c = .*", "fws_supply_c = [90]", "equipment.cooling.fws_supply_c.0", "2 to 60 [degC]"),
        (r"^fws_supply_c = .*", "fws_supply_c = []", "equipment.cooling.fws_supply_c", "at least 1 entry"),
        (r"^fws_supply_c = .*", "fws_supply_c = 32", "equipment.cooling.fws_supply_c", "a list"),
        (r"^fws_supply_c = .*", "fws_supply_c = [32, 32]", "equipment.cooling.fws_supply_c", "twice"),
        (r"^discount_rate = .*", "discount_rate = 8", "finance.discount_rate", "0 to 1"),
        (r"^contract_max_mw = .*", "contract_max_mw = 1.6e6", "poi.contract_max_mw", "[MW]"),
        (r"^power_mw = .*", "power_mw = [50, 100]", "equipment.storage.power_mw", "[MW]"),
        (r'"cdu-600"', '"cdu-60"', "equipment.cdu.cards.0", "a card of cdu"),
        (r"^redundancy = .*", 'redundancy = "n+2"', "equipment.cdu.redundancy", "'n' or 'n+1'"),
        (r"^count = \[", "count = [1.5, ", "equipment.cdu.count.0", "a whole number"),
        (r"^count = \[", "count = [10000000, ", "equipment.cdu.count.0", "1 to 1e+06"),
        (r"^rule = .*", 'rule = "ercot"', "poi.rule", "one of ercot_2026_draft"),
        (r"^modes = .*", 'modes = ["floor_80"]', "jobs.pretrain.modes.0", "baseline, floor_X or cap_X"),
        (r"^locked = .*", "locked = 1", "jobs.pretrain.locked", "true or false"),
        (r"^date = .*", 'date = "18.08.2023"', "days.0.date", "a date such as"),
        (r"^schema_version = 1", "schema_version = 2", "schema_version", "1"),
        (r"^\[pods\.a\]", '[pods."a b"]', 'pods."a b"', "a letter, then letters"),
        (r'^profile = .*', 'profile = "missing.csv"', "jobs.pretrain.profile", "a file"),
        (r'^profile = .*', 'profile = "../price.csv"', "jobs.pretrain.profile", "inside the site's folder"),
        (r'^profile = .*', 'profile = "/etc/hosts.csv"', "jobs.pretrain.profile", "inside the site's folder"),
        (r'^profile = .*', 'profile = "site.toml"', "jobs.pretrain.profile", ".csv"),
        (r'^profile = .*', 'profile = "a\\u0000.csv"', "jobs.pretrain.profile", ".csv"),
        (r'^profile = .*', '', "jobs.pretrain.phases", "either a profile or phases"),
        (r"^share = .*", "share = 0.5", "jobs.tune.phases", "sum to 1"),
        (r"^jitter_s = .*", "jitter_s = 10.0", "jobs.pretrain.jitter_s", "jitter_s below period_s"),
        (r"^name = \"toy_1mw\"", "", "name", "a value"),
    ],
)  # fmt: skip
def test_wrong_input(copy: Path, old: str, new: str, key: str, expected: str) -> None:
    _replace(copy, old, new)
    faults = _faults(lambda: load(copy))
    assert key in faults
    assert expected in faults[key].expected
    assert str(copy) in faults[key].file
    assert len(faults) <= 2


def test_all_faults_of_a_file_at_once(copy: Path) -> None:
    _replace(copy, "^discount_rate", "discount_rat")
    _replace(copy, r"^volume_m3 = .*", "volume_m3 = [-4.0]")
    _replace(copy, r"^altitude_m = .*", "altitude_m = nan")
    _replace(copy, r'"cell-250"', '"cell-25"')
    _replace(copy, r"^weight_days = .*", "weight_days = 100")
    _replace(copy, r"^profile = .*", 'profile = "missing.csv"')
    _replace(copy, r"^power_factor", "power_faktor")
    _replace(copy, r"T05:00,.*", "T05:00,much", "price.csv")
    faults = _faults(lambda: load(copy))
    assert {
        "finance.discount_rat", "finance.discount_rate", "equipment.buffer.volume_m3.0", "climate.altitude_m",
        "equipment.dry_cooler.cards.0", "days", "jobs.pretrain.profile", "poi.power_faktor",
        "row 1, price_usd_per_mwh",
    } <= set(faults)  # fmt: skip
    assert faults["finance.discount_rat"].nearest == "discount_rate"
    assert faults["equipment.dry_cooler.cards.0"].nearest == "cell-250"
    assert faults["row 1, price_usd_per_mwh"].file.endswith("price.csv")


def test_a_limit_below_the_load_is_no_wrong_input(toy: Site) -> None:
    assert toy.with_({"poi.contract_max_mw": 0.1, "poi.interconnection_limit_mw": 0.1})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "a value"),
        ("= 1", "TOML"),
        ("a = 1\na = 2", "TOML"),
        ("a = " + 5000 * "[", "levels"),
        ("a = " + 20 * "[" + 20 * "]", "at most 12 levels"),
        ("a = [" + 10_001 * "1," + "]", "at most 10000"),
        (f"a = '{5_001 * 'x'}'", "at most 5000"),
        (f"{201 * 'x'} = 1", "200 characters"),
        ("a = " + 5000 * "1", "TOML"),
        ("\n".join(f"a{i} = [{9_999 * '1,'}]" for i in range(40)), "at most 200000"),
    ],
)
def test_bounds_of_a_file(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "site.toml").write_text(content)
    with pytest.raises(InputError, match=expected):
        load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "null",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"name": "\\ud800"}',
        '{"\\ud800": 1}',
        9999 * "[",
    ],
)
def test_wrong_json(tmp_path: Path, content: str) -> None:
    (tmp_path / "site.json").write_text(content)
    assert _faults(lambda: load(tmp_path))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(InputError, match="UTF-8"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["site.toml", "price.csv", "training_notch.csv"])
def test_a_file_of_a_gigabyte_is_not_read(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.truncate(1_000_000_000)  # sparse
    with pytest.raises(InputError, match="1000000000 bytes"):
        load(copy)


@pytest.mark.parametrize("name", ["site.toml", "price.csv"])
def test_a_pipe_is_not_waited_for(copy: Path, name: str) -> None:
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(InputError, match="not a file"):
        load(copy)


def test_no_site(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", "a\0b"):
        assert _faults(lambda path=path: load(path))  # type: ignore[misc]
    (tmp_path / "site.toml").touch()
    (tmp_path / "site.json").touch()
    with pytest.raises(InputError, match="both"):
        load(tmp_path)


# paths and references


def test_a_path_may_leave_the_folder_if_the_site_says_so(toy: Site, copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (copy / "price.csv").rename(other / "price.csv")
    _replace(copy, '"price.csv"', '"../elsewhere/price.csv"')
    assert "energy.price_series" in _faults(lambda: load(copy))
    (copy / "site.toml").write_text((copy / "site.toml").read_text() + "\n[files]\nallow_outside = true\n")
    assert load(copy) == toy.with_({"files.allow_outside": True})


def test_a_link_does_not_leave_the_folder(copy: Path, tmp_path: Path) -> None:
    (copy / "price.csv").rename(tmp_path / "price.csv")
    (copy / "price.csv").symlink_to(tmp_path / "price.csv")
    assert "energy.price_series" in _faults(lambda: load(copy))


def test_equal_names_outside_stay_apart(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "price.csv").write_bytes((copy / "training_notch.csv").read_bytes())
    _replace(copy, '"training_notch.csv"', '"../elsewhere/price.csv"')
    (copy / "site.toml").write_text((copy / "site.toml").read_text() + "\n[files]\nallow_outside = true\n")
    site = load(copy)
    assert site.jobs["pretrain"].profile == "_price.csv"
    site.save(tmp_path / "saved")
    assert load(tmp_path / "saved") == site


def test_a_site_builds_on_another(toy: Site, copy: Path, tmp_path: Path) -> None:
    over = tmp_path / "over"
    over.mkdir()
    base, own_keys = 'extends = "../toy/site.toml"\n', "[poi]\ncontract_max_mw = 1.25\n"
    (over / "site.toml").write_text(base + own_keys)
    with pytest.raises(InputError, match=r'extends = "../toy/site.toml": expected a site file inside'):
        load(over)
    base += "[files]\nallow_outside = true\n"
    (over / "site.toml").write_text(base + own_keys)
    site = load(over)
    assert site == toy.with_({"poi.contract_max_mw": 1.25, "files.allow_outside": True})
    (over / "price.csv").write_text((copy / "price.csv").read_text().replace("26.44", "26.5"))
    (over / "site.toml").write_text(f'{base}[energy]\nprice_series = "price.csv"\n{own_keys}')
    own = load(over)
    assert own.series.price["price_usd_per_mwh"][0] == 26.5
    assert own.series.weather == site.series.weather
    site.save(tmp_path / "saved")
    assert load(tmp_path / "saved") == site


def test_a_cycle_of_references(copy: Path) -> None:
    (copy / "a.toml").write_text('extends = "b.toml"')
    (copy / "b.toml").write_text('extends = "a.toml"')
    (copy / "self.toml").write_text('extends = "self.toml"')
    for name in ("a.toml", "self.toml"):
        with pytest.raises(InputError, match="no cycle of references"):
            load(copy / name)


@pytest.mark.parametrize(
    "base", ['"none.toml"', '"/etc/site.toml"', '"site.txt"', "1", '"."', '"a\\u0000.toml"']
)
def test_a_reference_that_leads_nowhere(copy: Path, base: str) -> None:
    (copy / "over.toml").write_text(f"extends = {base}")
    assert _faults(lambda: load(copy / "over.toml"))


def test_a_chain_of_references_ends(copy: Path) -> None:
    for i in range(12):
        (copy / f"{i}.toml").write_text(f'extends = "{i + 1}.toml"')
    with pytest.raises(InputError, match="a chain of at most 10"):
        load(copy / "0.toml")


# series


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("price.csv", "price_usd_per_mwh", "price_usd_per_mwd", "columns time, price_usd_per_mwh"),
        ("price.csv", ",price_usd_per_mwh", "", "a column price_usd_per_mwh"),
        ("price.csv", "^time,", "time,time,", "no column twice"),
        ("price.csv", "T05:00,.*", "T05:00,nan", "a number from -2000 to 25000 [USD/MWh]"),
        ("price.csv", "T05:00,.*", "T05:00,1e6", "[USD/MWh]"),
        ("price.csv", "T05:00,.*", "T05:00", "2 entries"),
        ("price.csv", "T05:00,", "T05:00Z,", "without a zone"),
        ("price.csv", "T05:00,", "T09:00,", "later than 2023-08-18T09:00, of the row before"),
        ("price.csv", "2023-08-18T05", "1823-08-18T05", "1970 to 2200"),
        ("weather.csv", "T00:00,[0-9.]+,", "T00:00,93.4,", "-60 to 60 [degC]"),
        ("training_notch.csv", "^0.0093,", "0.0193,", "equal bins"),
        ("training_notch.csv", "^0.0093,[0-9.]+,", "0.0093,83.5,", "0 to 3 [per unit]"),
        ("weather.csv", "^time", '"time', "comma-separated"),
    ],
)
def test_wrong_series(copy: Path, file: str, old: str, new: str, expected: str) -> None:
    _replace(copy, old, new, file)
    faults = _faults(lambda: load(copy))
    assert any(expected in fault.expected for fault in faults.values()), faults


def test_an_empty_series(copy: Path) -> None:
    (copy / "price.csv").write_text("time,price_usd_per_mwh\n")
    with pytest.raises(InputError, match="at least one row"):
        load(copy)
    (copy / "price.csv").write_text("")
    with pytest.raises(InputError, match="a column time"):
        load(copy)


def test_a_series_in_fahrenheit(toy: Site, copy: Path) -> None:
    rows = zip(toy.series.weather["time"], toy.series.weather["dry_bulb_c"], strict=True)
    text = "time,dry_bulb_f\n" + "\n".join(f"{time},{1.8 * value + 32!r}" for time, value in rows)
    (copy / "weather.csv").write_text(text)
    assert load(copy).series.weather["dry_bulb_c"] == pytest.approx(toy.series.weather["dry_bulb_c"])


# what must fit together


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"clock.offset_slot_s": 0.7}, "clock.offset_slot_s"),
        ({"clock.event_slot_s": 10.2}, "clock.event_slot_s"),
        ({"clock.event_slot_s": 15.0}, "clock.event_slot_s"),
        ({"clock.cycle_s": 20.5}, "clock.cycle_s"),
        ({"clock.macro_s": 105.0}, "clock.macro_s"),
        ({"clock.step_s": 0.001, "clock.macro_s": 1100.0}, "clock.macro_s"),
        ({"clock.hour_step_h": 5}, "clock.hour_step_h"),
        ({"energy.metering_window_min": 61.0}, "energy.metering_window_min"),
        ({"jobs.pretrain.period_s": 3.0}, "jobs.pretrain.period_s"),
        ({"jobs.tune.period_s": 2.5}, "jobs.tune.period_s"),
        ({"jobs.pretrain.events.0.interval_s": 60.0}, "jobs.pretrain.events.0.interval_s"),
        ({"jobs.pretrain.events.0.interval_s": 12.5}, "jobs.pretrain.events.0.interval_s"),
        ({"jobs.pretrain.events.0.duration_s": 200.0}, "jobs.pretrain.events.0.duration_s"),
        ({"jobs.pretrain.count": 3}, "pods.a.racks"),
        ({"pods.a.count": 2, "pods.a.racks": 4}, "pods.a.racks"),
        ({"jobs.pretrain.pod": "b"}, "jobs.pretrain.pod"),
        ({"days.0.weight_days": 1}, "days"),
        ({"days.1.date": "2023-08-18"}, "days.1.date"),
        ({"days.1.date": "2023-08-19"}, "climate.series"),
        ({"energy.utc_offset_h": 3}, "energy.price_series"),
        ({"equipment.cooling.fws_supply_c": [12]}, "equipment.cooling.fws_supply_c"),
        ({"equipment.air_chiller.chilled_water_c": 12}, "equipment.air_chiller.chilled_water_c"),
        ({"scenarios.chiller_trip.at_s": 600}, "scenarios.chiller_trip.at_s"),
        ({"scenarios.job_abort_restart.job": "pretrian"}, "scenarios.job_abort_restart.job"),
        ({"poi.band_hz": [55.0, 0.1]}, "poi.band_hz"),
        ({"equipment.buffer.volume_m3": {"min": 4.0, "max": 3.0}}, "equipment.buffer.volume_m3"),
        ({"equipment.buffer.volume_m3": {"min": 0.0, "max": 3.0}}, "equipment.buffer.volume_m3"),
        ({"equipment.buffer.volume_m3": {"min": 1.0, "mx": 3.0}}, "equipment.buffer.volume_m3.mx"),
    ],
)
def test_what_does_not_fit_together(toy: Site, changed: dict[str, Any], key: str) -> None:
    assert key in _faults(lambda: toy.with_(changed))


def test_pods_are_filled_one_by_one(toy: Site) -> None:
    two = {
        "pods": {name: {"count": 1, "racks": 6, "rack": "gb200-nvl72"} for name in ("a", "b")},
        "jobs.tune.pod": "b",
    }
    assert list(toy.with_(two).pods) == ["a", "b"]
    assert "pods.a.racks" in _faults(lambda: toy.with_({**two, "jobs.tune.pod": "a"}))


def test_a_size_from_a_range(toy: Site) -> None:
    size = toy.with_({"equipment.buffer.volume_m3": {"min": 2, "max": 6}}).equipment.buffer.volume_m3
    assert size == Range(min=2.0, max=6.0)


# units


@pytest.mark.parametrize(
    ("key", "value", "metric", "expected"),
    [
        ("capacity_ton", 100.0, "capacity_kw", 351.6852842),
        ("cost_usd_per_ton", 351.6852842, "cost_usd_per_kw", 100.0),
        ("flow_gpm", 100.0, "flow_l_per_min", 378.5411784),
        ("rated_flow_gpm", 100.0, "rated_flow_kg_per_s", 6.25855),
        ("supply_f", [32, 212.0], "supply_c", [0.0, 100.0]),
        ("head_psi", {"min": 1, "max": 10}, "head_kpa", {"min": 6.894757, "max": 68.94757}),
        ("altitude_ft", 1000, "altitude_m", 304.8),
    ],
)
def test_imperial_units(key: str, value: Any, metric: str, expected: Any) -> None:
    found = units.metric(key, [metric])
    assert found is not None
    assert found[0] == metric
    made = found[1](value)
    assert made == pytest.approx(expected, rel=1e-6)


def test_a_unit_has_to_have_a_metric_key() -> None:
    assert units.metric("approach_f", ["approach_k"]) is None
    assert units.metric("of", ["oc"]) is None
    assert units.metric("altitude_m", ["altitude_m"]) is None


def test_imperial_keys_of_a_file(copy: Path) -> None:
    _replace(copy, r"^altitude_m = .*", "altitude_ft = 466")
    _replace(copy, r"^fws_supply_c = .*", "fws_supply_f = [89.6, 96.8]")
    _replace(copy, r"\Z", '\n[cards.chiller."warm-250"]\ncost_usd_per_ton = 1000\n')
    site = load(copy)
    assert site.climate.altitude_m == pytest.approx(142.0368)
    assert site.equipment.cooling.fws_supply_c == pytest.approx((32.0, 36.0))
    assert site.cards["chiller"]["warm-250"]["cost_usd_per_kw"] == pytest.approx(284.345)


def test_a_converted_key_is_named_as_it_was_written(copy: Path) -> None:
    _replace(copy, r"^altitude_m = .*", "altitude_ft = 99999")
    faults = _faults(lambda: load(copy))
    assert "[m] as altitude_m" in faults["climate.altitude_ft"].expected


def test_one_key_in_two_units(copy: Path) -> None:
    _replace(copy, r"^altitude_m = .*", "altitude_m = 142\naltitude_ft = 466")
    assert "climate.altitude_ft" in _faults(lambda: load(copy))


# the rest of the surface


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("poi.contract_max_mw=20", ("poi.contract_max_mw", 20)),
        ("poi.contract_max_mw = 1.5", ("poi.contract_max_mw", 1.5)),
        ("schedule.offsets=aligned", ("schedule.offsets", "aligned")),
        ("equipment.cdu.count=[2, 3]", ("equipment.cdu.count", [2, 3])),
        (
            "equipment.cdu.flow_l_per_min={min=1,max=2}",
            ("equipment.cdu.flow_l_per_min", {"min": 1, "max": 2}),
        ),
        ("jobs.pretrain.locked=false", ("jobs.pretrain.locked", False)),
        ('name="a b"', ("name", "a b")),
        ('cards.chiller."warm-250".om_pu=0.1', ('cards.chiller."warm-250".om_pu', 0.1)),
        ("a=b=c", ("a", "b=c")),
        ("a=[1", ("a", "[1")),
    ],
)
def test_assignments(text: str, expected: tuple[str, Any]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["", "a", "=1", "a=", " = ", "a=" + 6000 * "1"])
def test_no_assignment(text: str) -> None:
    with pytest.raises(InputError, match="PATH=VALUE"):
        parse_assignment(text)


def test_json_schema_is_of_the_same_file(toy: Site) -> None:
    schema = json_schema()
    assert set(toy.to_dict()) <= set(schema["properties"])
    assert {"extends", "finance"} <= set(schema["properties"])
    assert "series" not in schema["properties"]
    assert schema["additionalProperties"] is False
    assert all(each["additionalProperties"] is False for each in schema["$defs"].values())
    rate = schema["$defs"]["Finance"]["properties"]["discount_rate"]
    assert (rate["minimum"], rate["maximum"]) == (0, 1)
    assert json.loads(json.dumps(schema)) == schema


def test_faults_are_readable() -> None:
    assert str(Fault("f", "a.b", 1.0, "a number", "ab")) == "f: a.b = 1.0: expected a number (nearest: ab)"
    assert len(str(Fault("f", "a", "x" * 10_000, "less"))) < 200
    assert "\x1b" not in str(Fault("f", "a", "\x1b[31m", "plain text"))
    many = InputError(Fault("f", str(i), i, "less") for i in range(60))
    assert str(many).endswith("and 10 more")
    assert pickle.loads(pickle.dumps(many)).faults == many.faults


def test_nearest_names() -> None:
    assert nearest("contract_mx", ["contract_max", "count"]) == "contract_max"
    assert nearest("zzz", ["contract_max", "count"]) is None


def test_import_is_silent_and_light() -> None:
    code = (
        "import sys, codesign; print({'pydantic', 'numpy', 'pyomo', 'casadi', 'highspy'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (run.stdout, run.stderr) == ("set()\n", "")


def test_public_names() -> None:
    import codesign

    assert codesign.load is load
    assert codesign.Site is Site
    assert set(codesign.__all__) <= set(dir(codesign))
    with pytest.raises(AttributeError, match="nothing"):
        _ = codesign.nothing


def test_what_the_user_wrote_is_told_with_its_quotes_and_an_unknown_key_keeps_its_value(copy: Path) -> None:
    text = (copy / "site.toml").read_text()
    (copy / "site.toml").write_text(text.replace('name = "toy', 'secret = "hunter2"\nname = "9 toy', 1))
    with pytest.raises(InputError) as caught:
        load(copy)
    faults = str(caught.value)
    assert 'name = "9 toy' in faults
    assert "secret = a text: expected one of the keys" in faults
    assert "hunter2" not in faults
