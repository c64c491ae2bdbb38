"""Which pod each job copy stands in.

A copy that fits in one pod stands wholly in one: its collective traffic stays on the pod's fabric.  A larger
copy takes whole pods and its remainder stands in one more.  Once whole pods are taken, what is left is bin
packing with few sizes; equal pods and equal copies are counted, not told apart.  First fit by falling size
packs most groups; where it does not, packings are integer flows along a pod's racks

    an arc (v, v + s) for each size s: a copy that stands on racks v .. v + s - 1
    flow from 0 at most the number of pods, flow over the arcs of a size the number of its copies

whose relaxation is as tight as one of whole fillings (J. M. Valerio de Carvalho, Exact solution of
bin-packing problems using column generation and branch-and-bound, Annals of Operations Research 86 (1999),
629-659).

Ties: first fit before flow; of equal pods, the one with more of the largest size has the lower number; of
equal copies, the earlier in the site's order has the lower pod.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from codesign.errors import Fault, InputError, SolverError

ARCS_MAX = 4000
NODES_MAX = 1000

Sizes = tuple[tuple[int, int], ...]
"""Racks and how many such copies, by falling size."""
Filling = tuple[int, ...]
"""How many copies of each size stand in one pod."""
Packing = tuple[tuple[Filling, int], ...]
"""Fillings by falling number of the largest size, and how many pods are filled so."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one copy stands: numbers of the group's pods from 1, whole pods first, and its racks in each."""

    group: str
    pods: tuple[int, ...]
    racks: tuple[int, ...]


def places(site: Any) -> dict[tuple[str, int], Place]:
    """Return the place of each job copy, by job and copy; InputError where a group's copies do not pack."""
    made: dict[tuple[str, int], Place] = {}
    for group, jobs in _groups(site).items():
        pod, copies = site.pods[group], _copies(jobs)
        filled = packing(pod.count, pod.racks, copies)
        if filled is None:
            raise InputError([_fault(group, pod, copies)])
        whole, sizes = pieces(pod.racks, copies)
        alone, seats = iter(range(1, whole + 1)), _seats(whole + 1, sizes, filled)
        for name, job in jobs.items():
            full, left = divmod(job.racks, pod.racks)
            for copy in range(job.count):
                shared = (next(seats[left]),) if left else ()
                racks = (*[pod.racks] * full, *[left] * len(shared))
                made[name, copy] = Place(group, (*islice(alone, full), *shared), racks)
    return made


def label(site: Any, place: Place) -> str:
    """Return a place as one text: a, or where the group has several pods a.1, or a.1+a.2."""
    if site.pods[place.group].count == 1:
        return place.group
    return "+".join(f"{place.group}.{number}" for number in place.pods)


def faults(site: Any) -> Iterator[Fault]:
    """Yield what is wrong with each group whose racks suffice in total but whose copies do not pack.

    A group too large to search (ARCS_MAX, NODES_MAX) that first fit does not pack is refused as well.
    """
    for group, jobs in _groups(site).items():
        pod, copies = site.pods[group], _copies(jobs)
        if _total(copies) <= pod.count * pod.racks and packing(pod.count, pod.racks, copies) is None:
            yield _fault(group, pod, copies)


@lru_cache(maxsize=1024)
def packing(count: int, racks: int, copies: Sizes) -> Packing | None:
    """Return how the pods are filled that no copy fills alone, None where the copies do not pack.

    Sizes are those of pieces(); pods left empty are left out.
    """
    whole, sizes = pieces(racks, copies)
    count -= whole
    if count < 0 or _total(sizes) > count * racks:
        return None
    fitted = _first_fit(count, racks, sizes)
    return _flow(count, racks, sizes) if fitted is None else fitted


def pieces(racks: int, copies: Iterable[tuple[int, int]]) -> tuple[int, Sizes]:
    """Return the number of whole pods that copies take, and what is left to pack."""
    whole, left = 0, Counter[int]()
    for size, number in copies:
        whole += number * (size // racks)
        left[size % racks] += number
    return whole, tuple(sorted(((size, n) for size, n in left.items() if size), reverse=True))


def _groups(site: Any) -> dict[str, dict[str, Any]]:
    """Return the jobs of each group of pods that has some."""
    first, made = next(iter(site.pods)), dict[str, dict[str, Any]]()
    for name, job in site.jobs.items():
        made.setdefault(job.pod or first, {})[name] = job
    return {group: made[group] for group in site.pods if group in made}


def _copies(jobs: Mapping[str, Any]) -> Sizes:
    numbers = Counter[int]()
    for job in jobs.values():
        numbers[job.racks] += job.count
    return tuple(sorted(numbers.items(), reverse=True))


def _fault(group: str, pod: Any, copies: Sizes) -> Fault:
    racks = _least(pod.racks, lambda n: packing(pod.count, n, copies) is not None)
    count = _least(pod.count, lambda n: packing(n, pod.racks, copies) is not None)
    number = sum(number for _, number in copies)
    what = f"pods into which the jobs' {number} copies pack, each in as few as it can"
    expected = f"{what}: {_pods(pod.count)} of {racks} racks, or {_pods(count)} of {pod.racks}"
    return Fault("", f"pods.{group}.racks", pod.racks, expected)


def _seats(start: int, sizes: Sizes, filled: Packing) -> dict[int, Iterator[int]]:
    """Return the pods of each size of piece, a pod as often as such pieces stand in it."""
    seats: dict[int, list[int]] = {size: [] for size, _ in sizes}
    for filling, alike in filled:
        for pod in range(start, start + alike):
            for each, there in zip(seats.values(), filling, strict=True):
                each += [pod] * there
        start += alike
    return {size: iter(each) for size, each in seats.items()}


def _first_fit(count: int, racks: int, sizes: Sizes) -> Packing | None:
    """Return the packing by first fit, pods that are filled alike taken together."""
    pods: list[tuple[int, dict[int, int], int]] = [(racks, {}, count)]
    for size, number in sizes:
        after = []
        for free, there, alike in pods:
            most = free // size
            full = min(alike, number // most) if most else 0
            last = number - full * most if most and full < alike else 0
            number -= full * most + last
            for more, pods_so in ((most, full), (last, min(last, 1))):
                if pods_so:
                    after.append((free - more * size, {**there, size: more}, pods_so))
            if alike > full + min(last, 1):
                after.append((free, there, alike - full - min(last, 1)))
        if number:
            return None
        pods = after
    return _sorted((tuple(there.get(size, 0) for size, _ in sizes), alike) for _, there, alike in pods)


def _flow(count: int, racks: int, sizes: Sizes) -> Packing | None:
    """Return the packing of an integer flow; None where there is none, or none within the limits."""
    import numpy as np
    from scipy import optimize, sparse

    arcs = _arcs(racks, sizes)
    if len(arcs) > ARCS_MAX:
        return None
    numbers = dict(sizes)
    row = {("size", size): i for i, size in enumerate(numbers)}
    for tail, _ in arcs:
        row.setdefault(("node", tail), len(row))
    low, high = np.zeros(len(row)), np.full(len(row), np.inf)
    low[: len(numbers)] = high[: len(numbers)] = list(numbers.values())
    low[row["node", 0]] = -count
    entries = [(row["size", size], column, 1.0) for column, (_, size) in enumerate(arcs)]
    entries += [(row["node", tail], column, -1.0) for column, (tail, _) in enumerate(arcs)]
    heads = [(("node", tail + size), column) for column, (tail, size) in enumerate(arcs)]
    entries += [(row[head], column, 1.0) for head, column in heads if head in row]
    rows, columns, values = zip(*entries, strict=True)
    matrix = sparse.csr_array((values, (rows, columns)), shape=(len(row), len(arcs)))
    answer = optimize.milp(
        np.array([float(tail == 0) for tail, _ in arcs]),
        integrality=np.ones(len(arcs), int),
        bounds=optimize.Bounds(0, np.array([min(count * (racks // s), numbers[s]) for _, s in arcs])),
        constraints=optimize.LinearConstraint(matrix, low, high),
        options={"node_limit": NODES_MAX},
    )
    if answer.x is None:
        if answer.status not in (1, 2):
            raise SolverError(f"packing of pods: {answer.message}")
        return None
    flow = {arc: round(value) for arc, value in zip(arcs, answer.x, strict=True) if value > 0.5}
    packed = _sorted(_paths(flow, tuple(numbers)))
    placed = [sum(filling[i] * alike for filling, alike in packed) for i in range(len(sizes))]
    if placed != [number for _, number in sizes] or sum(alike for _, alike in packed) > count:
        raise SolverError("packing of pods: the solver's flow is no packing")
    return packed


def _arcs(racks: int, sizes: Sizes) -> list[tuple[int, int]]:
    """Return (tail, size) of every copy that can stand on larger or equal ones; ARCS_MAX + 1 at most."""
    reached, arcs = {0}, list[tuple[int, int]]()
    for size, number in sizes:
        new = reached
        for _ in range(number):
            tails = sorted(tail for tail in new if tail + size <= racks)
            arcs += [(tail, size) for tail in tails[: ARCS_MAX + 1 - len(arcs)]]
            if not tails or len(arcs) > ARCS_MAX:
                break
            new = {tail + size for tail in tails} - reached
            reached = reached | new
        if len(arcs) > ARCS_MAX:
            break
    return arcs


def _paths(flow: dict[tuple[int, int], int], sizes: tuple[int, ...]) -> Iterator[tuple[Filling, int]]:
    """Yield the flow as paths from 0, the largest size first, each with its amount."""
    while any((0, size) in flow for size in sizes):
        at, path = 0, list[tuple[int, int]]()
        while steps := [size for size in sizes if (at, size) in flow]:
            path.append((at, steps[0]))
            at += steps[0]
        amount = min(flow[arc] for arc in path)
        for arc in path:
            flow[arc] -= amount
            if not flow[arc]:
                del flow[arc]
        there = Counter(size for _, size in path)
        yield tuple(there[size] for size in sizes), amount


def _sorted(fillings: Iterable[tuple[Filling, int]]) -> Packing:
    alike = Counter[Filling]()
    for filling, number in fillings:
        if any(filling):
            alike[filling] += number
    return tuple(sorted(alike.items(), reverse=True))


def _total(sizes: Sizes) -> int:
    return sum(size * number for size, number in sizes)


def _least(low: int, holds: Callable[[int], bool]) -> int:
    """Return the least number above low for which something holds that holds for every larger one."""
    step = 1
    while not holds(low + step):
        low, step = low + step, 2 * step
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _pods(number: int) -> str:
    return f"{number} pod{'' if number == 1 else 's'}"
