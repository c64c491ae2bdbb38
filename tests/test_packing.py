"""Pods of job copies: packings against all placements, what a place is, determinism, the fault's words."""

import itertools
import math
import random
from collections import Counter
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from effort import at_most

from codesign import packing
from codesign.packing import Place, Sizes
from codesign.site import load

INSTANCES = Path(__file__).parents[1] / "instances"


def group(count: int, racks: int, *jobs: tuple[int, int]) -> Any:
    """Return what packing reads of a site: one group of pods, jobs as (count, racks)."""
    made = {f"j{i}": SimpleNamespace(count=n, racks=r, pod=None) for i, (n, r) in enumerate(jobs)}
    return SimpleNamespace(pods={"a": SimpleNamespace(count=count, racks=racks)}, jobs=made)


def drawn(seed: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Return pods and jobs small enough to try every placement, most of them nearly full."""
    draw = random.Random(seed)
    count, racks = draw.randint(1, 4), draw.randint(3, 12)
    jobs, left = list[tuple[int, int]](), count * racks - draw.choice((0, 0, 1, 2))
    largest = racks if draw.random() < 0.7 else 2 * racks
    while left > 0 and len(jobs) < 8:
        size = min(left, draw.randint(2, largest))
        number = draw.randint(1, max(1, min(3, left // size)))
        jobs.append((number, size))
        left -= number * size
    return count, racks, jobs


def possible(count: int, racks: int, jobs: list[tuple[int, int]]) -> bool:
    """Return whether some placement of every copy, one after the other, in any pods holds."""
    copies = sorted((size for number, size in jobs for _ in range(number)), reverse=True)

    @cache
    def place(at: int, free: tuple[int, ...]) -> bool:
        if at == len(copies):
            return True
        whole, left = divmod(copies[at], racks)
        for pods in itertools.permutations(range(count), whole + (left > 0)):
            asked = [racks] * whole + [left] * (left > 0)
            after = list(free)
            for pod, need in zip(pods, asked, strict=True):
                after[pod] -= need
            if min(after) >= 0 and place(at + 1, tuple(sorted(after))):
                return True
        return False

    return place(0, (racks,) * count)


def check(site: Any, places: dict[tuple[str, int], Place]) -> None:
    """Every copy stands once, in as few pods as its racks need, and no pod is over its racks."""
    pod, used = site.pods["a"], Counter[int]()
    assert list(places) == [(name, copy) for name, job in site.jobs.items() for copy in range(job.count)]
    for (name, _), place in places.items():
        racks = site.jobs[name].racks
        assert sum(place.racks) == racks
        assert len(place.pods) == len(set(place.pods)) == len(place.racks) == math.ceil(racks / pod.racks)
        assert list(place.racks[:-1]) == [pod.racks] * (len(place.racks) - 1)
        for number, there in zip(place.pods, place.racks, strict=True):
            used[number] += there
    assert set(used) <= set(range(1, pod.count + 1))
    assert max(used.values()) <= pod.racks


@pytest.mark.parametrize("by", ["both", "flow"])
def test_there_is_a_packing_where_some_placement_holds(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "flow":
        monkeypatch.setattr(packing, "_first_fit", lambda *asked: None if asked[2] else ())
    packing.packing.cache_clear()
    answers = Counter[bool]()
    for seed in range(300 if by == "both" else 120):
        count, racks, jobs = drawn(seed)
        site = group(count, racks, *jobs)
        if sum(n * r for n, r in jobs) > count * racks:
            continue
        found = list(packing.faults(site))
        assert (not found) == possible(count, racks, jobs), (seed, count, racks, jobs)
        answers[not found] += 1
        if not found:
            check(site, packing.places(site))
    packing.packing.cache_clear()
    assert min(answers.values()) > 15


def test_where_first_fit_fails_a_flow_packs() -> None:
    count, racks, sizes = 2, 10, ((5, 1), (4, 2), (3, 1), (2, 2))
    assert packing._first_fit(count, racks, sizes) is None
    assert packing.packing(count, racks, sizes) == (((1, 0, 1, 1), 1), ((0, 2, 0, 1), 1))
    site = group(count, racks, (1, 5), (2, 4), (1, 3), (2, 2))
    check(site, packing.places(site))


def test_a_copy_larger_than_a_pod_fills_pods_and_one_more() -> None:
    site = group(5, 4, (2, 6), (1, 2), (1, 4), (1, 2))
    assert packing.places(site) == {
        ("j0", 0): Place("a", (1, 4), (4, 2)),
        ("j0", 1): Place("a", (2, 4), (4, 2)),
        ("j1", 0): Place("a", (5,), (2,)),
        ("j2", 0): Place("a", (3,), (4,)),
        ("j3", 0): Place("a", (5,), (2,)),
    }
    labels = [packing.label(site, place) for place in packing.places(site).values()]
    assert labels == ["a.1+a.4", "a.2+a.4", "a.5", "a.3", "a.5"]


def test_groups_pack_each_on_its_own() -> None:
    site = group(2, 4, (2, 3), (1, 6))
    site.pods["b"] = SimpleNamespace(count=1, racks=6)
    site.jobs["j1"].pod = "b"
    places = packing.places(site)
    assert [packing.label(site, place) for place in places.values()] == ["a.1", "a.2", "b"]


def test_the_same_site_packs_the_same_way() -> None:
    site = group(4, 10, (2, 5), (4, 4), (2, 3), (4, 2))
    first = packing.places(site)
    for _ in range(3):
        packing.packing.cache_clear()
        assert packing.places(site) == first
    again = group(4, 10, (4, 2), (2, 3), (4, 4), (2, 5))
    swapped = {(f"j{3 - int(name[1])}", copy): place for (name, copy), place in packing.places(again).items()}
    assert swapped == first


@pytest.mark.parametrize("name", ["hall_20mw", "toy_1mw", "toy_1mw_trip", "toy_1mw_infeasible"])
def test_the_instances_pack(name: str) -> None:
    site = load(INSTANCES / name)
    check(site, packing.places(site))


def test_the_fault_says_what_would_do() -> None:
    (fault,) = packing.faults(group(4, 38, (6, 20), (8, 4)))
    assert str(fault) == (
        "pods.a.racks = 38: expected pods into which the jobs' 14 copies pack, each in as few as it can: "
        "4 pods of 40 racks, or 6 pods of 38"
    )
    assert not list(packing.faults(group(4, 40, (6, 20), (8, 4))))
    assert not list(packing.faults(group(6, 38, (6, 20), (8, 4))))


def test_what_would_do_is_the_least_that_does() -> None:
    judged = 0
    for seed in range(300, 400):
        count, racks, jobs = drawn(seed)
        for fault in packing.faults(group(count, racks, *jobs)):
            words = fault.expected.replace(",", "").split()
            larger, more = int(words[words.index("of") + 1]), int(words[words.index("or") + 1])
            assert possible(count, larger, jobs)
            assert possible(more, racks, jobs)
            assert not any(possible(count, each, jobs) for each in range(racks, larger))
            assert not any(possible(each, racks, jobs) for each in range(count, more))
            judged += 1
    assert judged > 20


@pytest.mark.parametrize(
    ("count", "racks", "copies", "packs"),
    [
        (400, 38, ((36, 100), (12, 300), (10, 600), (2, 1000)), True),
        (21, 152, ((107, 6), (64, 14), (56, 9), (45, 7), (31, 12), (26, 13), (5, 7)), True),
        (1_000_000, 1_000_000, tuple((size, 1000) for size in range(300, 0, -1)), True),
        (1_000_000, 3, ((2, 1_000_001),), False),
    ],
)
def test_large_groups_take_little_work(count: int, racks: int, copies: Sizes, packs: bool) -> None:
    with at_most(10.0):
        assert (packing.packing(count, racks, copies) is not None) == packs
