"""The single-line and flow diagram as SVG: one drawing for wide pages, one for narrow ones.

wide    POI -> transformers   storage   pumps, fans       narrow   one column: busbar and air on the left,
        =============== busbar ==============                      FWS return and heat to ambient on the
        CDUs <- racks -> fan walls -> air chillers                 right
        FWS pumps -> dry coolers -> chillers -> buffer -> CDUs
        ambient
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codesign.design import Design
from codesign.reporting.boxes import Box, boxes
from codesign.reporting.text import clipped, escaped

LINE, PAD = 17, 9
PX_PER_CHARACTER = 6.5  # of 12 px text, generous
Point = tuple[float, float]

WIDE_ROWS = (
    ("poi", "transformer", "storage", "mechanical"),
    ("cdu", "racks", "fan_wall", "air_chiller"),
    ("fws_pump", "dry_cooler", "chiller", "buffer"),
)
NARROW = ("poi", "transformer", "storage", "mechanical", "racks", "cdu", "fws_pump", "dry_cooler", "chiller",
          "buffer", "fan_wall", "air_chiller", "ambient", "other")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """A box on the drawing."""

    box: Box
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


def single_line(design: Design) -> str:
    """Return both drawings; the page shows the one that fits."""
    content = boxes(design)
    return f'<div class="diagram">{_wide(content)}{_narrow(content)}</div>'


def _wide(content: dict[str, Box]) -> str:
    width, gap, rows = 270.0, 44.0, (62.0, 64.0, 46.0)
    placed: dict[str, Placed] = {}
    y = 4.0
    for row, below in zip(WIDE_ROWS, rows, strict=True):
        here = [name for name in row if name in content]
        height = max((_height(content[name]) for name in here), default=0.0)
        for column, name in enumerate(row):
            if name in content:
                placed[name] = Placed(content[name], 4 + column * (width + gap), y, width, height)
        y += height + below
    whole = 4 * width + 3 * gap + 8
    if "ambient" in content:
        placed["ambient"] = Placed(content["ambient"], 4, y, whole - 8, _height(content["ambient"]))
        y += placed["ambient"].height + 8
    if "other" in content:
        placed["other"] = Placed(content["other"], 4, y + 8, width, _height(content["other"]))
        y += placed["other"].height + 16
    return _drawing("wide", whole + 26, y, [*_wide_links(placed, whole), *map(_drawn, placed.values())])


def _wide_links(at: dict[str, Placed], whole: float) -> Iterable[str]:
    bar = at["poi"].bottom + 28
    yield _link("power", [(at["poi"].right, at["poi"].y + 40), (at["transformer"].x, at["poi"].y + 40)])
    yield _link(
        "power", [(at["transformer"].middle, at["transformer"].bottom), (at["transformer"].middle, bar)]
    )
    yield f'<path class="busbar" d="M4 {bar:g}H{whole - 4:g}"/>'
    yield _text(whole - 4, bar - 8, "busbar", "lane", end=True)
    yield _link(
        "power", [(at["storage"].middle, bar), (at["storage"].middle, at["storage"].bottom)], both=True
    )
    if "mechanical" in at:
        to = at["mechanical"]
        yield _link("power", [(to.middle, bar), (to.middle, to.bottom)])
    racks = at["racks"]
    yield _link("power", [(racks.middle, bar), (racks.middle, racks.y)])
    level = racks.y + 40
    yield _link("hot", [(racks.x, level), (at["cdu"].right, level)])
    yield _link("cold", [(at["cdu"].right, level + 40), (racks.x, level + 40)])
    yield _text(racks.x - 22, level - 8, "TCS", "lane middle")
    yield _link("hot", [(racks.right, level), (at["fan_wall"].x, level)])
    yield _text(racks.right + 22, level - 8, "air", "lane middle")
    yield _link("hot", [(at["fan_wall"].right, level), (at["air_chiller"].x, level)])
    yield _text(at["fan_wall"].right + 22, level - 8, "water", "lane middle")
    cdu, pump, buffer = at["cdu"], at["fws_pump"], at["buffer"]
    left, lane = cdu.x + 70, (cdu.bottom + pump.y) / 2 + 6
    yield _link("hot", [(left, cdu.bottom), (left, pump.y)])
    yield _link("cold", [(buffer.middle, buffer.y), (buffer.middle, lane), (cdu.x + 180, lane),
                         (cdu.x + 180, cdu.bottom)])  # fmt: skip
    yield _text(at["dry_cooler"].middle, lane - 7, "FWS supply", "lane middle")
    flow = pump.y + 34
    for a, b, kind in (("fws_pump", "dry_cooler", "hot"), ("dry_cooler", "chiller", "warm"),
                       ("chiller", "buffer", "cold")):  # fmt: skip
        yield _link(kind, [(at[a].right, flow), (at[b].x, flow)])
    if "ambient" in at:
        top = at["ambient"].y
        for name in ("dry_cooler", "chiller"):
            yield _link("hot", [(at[name].middle, at[name].bottom), (at[name].middle, top)])
        air, edge = at["air_chiller"], whole + 12
        yield _link(
            "hot", [(air.right, level), (edge, level), (edge, top + 14), (at["ambient"].right, top + 14)]
        )


def _narrow(content: dict[str, Box]) -> str:
    left, width = 26.0, 286.0
    placed: dict[str, Placed] = {}
    y = 4.0
    for name in NARROW:
        if name in content:
            placed[name] = Placed(content[name], left, y, width, _height(content[name]))
            y += placed[name].height + 30
    return _drawing("narrow", 352, y - 20, [*_narrow_links(placed), *map(_drawn, placed.values())])


def _narrow_links(at: dict[str, Placed]) -> Iterable[str]:
    down = [("poi", "transformer", "power"), ("racks", "cdu", "hot"), ("cdu", "fws_pump", "hot"),
            ("fws_pump", "dry_cooler", "hot"), ("dry_cooler", "chiller", "warm"),
            ("chiller", "buffer", "cold"), ("fan_wall", "air_chiller", "hot")]  # fmt: skip
    for a, b, kind in down:
        yield _link(kind, [(at[a].middle, at[a].bottom), (at[a].middle, at[b].y)])
    bar, racks, wall = 10.0, at["racks"], at["fan_wall"]
    top = at["transformer"].bottom + 15
    yield f'<path class="busbar" d="M{bar:g} {top:g}V{racks.y + 24:g}"/>'
    yield _link("power", [(at["transformer"].middle, at["transformer"].bottom),
                          (at["transformer"].middle, top), (bar, top)], head=False)  # fmt: skip
    yield _text(bar + 8, top - 5, "busbar", "lane")
    for name in ("storage", "mechanical", "racks"):
        if name in at:
            level = at[name].y + 20
            yield _link("power", [(bar, level), (at[name].x, level)], both=name == "storage")
    yield _link("hot", [(racks.x, racks.bottom - 16), (bar, racks.bottom - 16), (bar, wall.y + 20),
                        (wall.x, wall.y + 20)])  # fmt: skip
    buffer, cdu, lane = at["buffer"], at["cdu"], at["cdu"].right + 12
    yield _link("cold", [(buffer.right, buffer.y + 20), (lane, buffer.y + 20), (lane, cdu.bottom - 16),
                         (cdu.right, cdu.bottom - 16)])  # fmt: skip
    yield _text(racks.middle + 8, racks.bottom + 19, "TCS", "lane")
    yield _text(cdu.middle + 8, cdu.bottom + 19, "FWS", "lane")
    yield _text(racks.x + 4, wall.y - 6, "air of the racks", "lane")
    if "ambient" in at:
        ambient, outer = at["ambient"], at["cdu"].right + 28
        for name in ("dry_cooler", "chiller", "air_chiller"):
            level = at[name].bottom - 16
            yield _link("hot", [(at[name].right, level), (outer, level), (outer, ambient.y + 20),
                                (ambient.right, ambient.y + 20)])  # fmt: skip


def _height(box: Box) -> float:
    return len(box.lines) * LINE + 2 * PAD


def _drawn(place: Placed) -> str:
    broken = any(line.kind == "broken" for line in place.box.lines)
    parts = [
        f'<rect class="box {place.box.side}{" broken" if broken else ""}" x="{place.x:g}" y="{place.y:g}" '
        f'width="{place.width:g}" height="{place.height:g}"/>'
    ]
    most = int((place.width - 2 * PAD) / PX_PER_CHARACTER)
    for i, line in enumerate(place.box.lines):
        y = place.y + PAD + LINE * (i + 0.75)
        label = clipped(line.text, most - (len(line.value) + 2 if line.value else 0))
        more = f"<title>{escaped(line.more)}</title>" if line.more or label != line.text else ""
        if label != line.text:
            more = f"<title>{escaped(f'{line.text} {line.more}'.strip())}</title>"
        drawn = _text(place.x + PAD, y, label, line.kind)
        drawn += _text(place.right - PAD, y, line.value, line.kind, end=True) if line.value else ""
        parts.append(f"<g>{more}{drawn}</g>")
    return f'<g data-part="{escaped(place.box.id)}">{"".join(parts)}</g>'


def _text(x: float, y: float, text: str, kind: str, *, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ' text-anchor="middle"' if "middle" in kind else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{anchor}>{escaped(text)}</text>'


def _link(kind: str, points: list[Point], *, both: bool = False, head: bool = True) -> str:
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    marks = f' marker-end="url(#to-{kind})"' if head else ""
    marks += f' marker-start="url(#to-{kind})"' if both else ""
    return f'<path class="link {kind}" d="{path}"{marks}/>'


def _drawing(kind: str, width: float, height: float, parts: Iterable[str]) -> str:
    heads = "".join(
        f'<marker id="to-{each}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        f'<path class="head {each}" d="M0 0L8 4L0 8z"/></marker>'
        for each in ("power", "hot", "warm", "cold")
    ).replace('id="to-', f'id="{kind}-to-')
    body = "".join(parts).replace("url(#to-", f"url(#{kind}-to-")
    label = "Single-line and flow diagram with sizes and margins"
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}">'
        f"<defs>{heads}</defs>{body}</svg>"
    )
