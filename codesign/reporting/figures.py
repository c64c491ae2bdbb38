"""Plots: colours that colour-blind readers tell apart, one style, and their place on the page.

Okabe and Ito's palette: blue, orange, vermilion, bluish green, sky blue, reddish purple; black for limits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from codesign.reporting.text import escaped

BLUE, ORANGE, VERMILION, GREEN, SKY, PURPLE = (
    "#0072B2", "#E69F00", "#D55E00", "#009E73", "#56B4E9", "#CC79A7",
)  # fmt: skip
INK, GREY, FAINT = "#222222", "#666666", "#e3e3e3"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, "#F0E442")
DASHES = ("solid", "dot", "dashdot")
WIDTHS = (2.8, 1.4)  # in turn: of two lines on each other both are seen


def line(
    x: ArrayLike, y: ArrayLike, name: str, colour: str, *, held: bool = False, dash: str = "solid",
    width: float = 1.6, shown: bool = True,
) -> go.Scatter:  # fmt: skip
    """Return a line; `held`: each value holds until the next time."""
    return go.Scatter(
        x=np.asarray(x, float), y=np.asarray(y, float), name=escaped(name), mode="lines", showlegend=shown,
        line={"color": colour, "dash": dash, "width": width, "shape": "hv" if held else "linear"},
        hovertemplate=f"%{{y:.5g}}<extra>{escaped(name)}</extra>",
    )  # fmt: skip


def limit(x: ArrayLike, y: ArrayLike, name: str = "limit", *, shown: bool = False) -> go.Scatter:
    """Return a limit line."""
    return line(x, y, name, INK, dash="dash", width=1.2, shown=shown)


def marker(x: float, y: float, text: str, *, broken: bool = False, worst: bool = True) -> go.Scatter:
    """Return the mark of a worst margin; filled where it is the worst of all scenarios."""
    colour = VERMILION if broken else INK
    return go.Scatter(
        x=[x], y=[y], name="worst margin", mode="markers", showlegend=False,
        marker={
            "symbol": "x" if broken else "diamond" if worst else "diamond-open", "size": 10, "color": colour,
            "line": {"width": 1.5, "color": colour},
        },
        hovertemplate=f"{escaped(text)}<extra></extra>", meta="worst margin",
    )  # fmt: skip


def figure(
    traces: Sequence[Any], x: str, y: str, *, height: int = 210, legend: bool = False,
    layout: Mapping[str, Any] | None = None,
) -> go.Figure:  # fmt: skip
    """Return a figure in the page's style; `x` and `y` are axis titles with units."""
    axis = {"gridcolor": FAINT, "zeroline": False, "linecolor": GREY, "ticks": "outside", "tickcolor": GREY,
            "automargin": True, "exponentformat": "none", "separatethousands": True,
            "ticklen": 3}  # fmt: skip
    style = {
        "template": "none", "height": height, "autosize": True, "showlegend": legend, "hovermode": "x",
        "margin": {"l": 58, "r": 12, "t": 30 if legend else 10, "b": 42},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": INK},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "dragmode": "zoom",
        "xaxis": {"title": {"text": x, "standoff": 6}, **axis},
        "yaxis": {"title": {"text": y, "standoff": 6}, **axis},
    }  # fmt: skip
    made = go.Figure(list(traces), style)
    if layout:
        made.update_layout(**layout)
    return made


def placed(made: go.Figure, title: str, note: str = "", *, kind: str = "") -> str:
    """Return the figure's element; `title` and `note` are HTML."""
    data = json.loads(made.to_json())
    text = json.dumps({"data": data["data"], "layout": data["layout"]}, allow_nan=False)
    height = int(made.layout.height)
    under = f'<p class="note">{note}</p>' if note else ""
    return (
        f'<figure class="{kind}"><figcaption>{title}</figcaption><div class="plot" style="height:{height}px">'
        f'<script type="application/json">{safe(text)}</script></div>{under}</figure>'
    )


def safe(text: str) -> str:
    """Return JSON that cannot end the script element that holds it."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
