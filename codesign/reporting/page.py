"""The page: one file that needs nothing else, and nothing from any network."""

from __future__ import annotations

from plotly.offline import get_plotlyjs

from codesign.design import Design
from codesign.reporting.certificate import certificate, holds
from codesign.reporting.figures import BLUE, INK, ORANGE, VERMILION
from codesign.reporting.poi import poi
from codesign.reporting.single_line import single_line
from codesign.reporting.style import CSS, SCRIPT
from codesign.reporting.text import escaped
from codesign.reporting.transients import transients

GENERATOR = '<meta name="generator" content="codesign-dc report">'
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""What a browser may load for the page: nothing that is not in it."""

KEY = '<p class="key">' + "".join(
    f'<span><b style="color:{colour}">━</b> {text}</span>'
    for colour, text in ((INK, "power"), (VERMILION, "hot"), (ORANGE, "pre-cooled"), (BLUE, "cold"))
) + "</p>"  # fmt: skip


def page(design: Design) -> str:
    """Return the page."""
    name = escaped(design.plan.site_name)
    verdict = "certified" if holds(design) else "not certified"
    sections = [
        ("certificate", "Certificate", certificate(design)),
        ("sizes", "Sizes and margins", _sizes(design)),
        ("poi", "Load at the POI", poi(design)),
        ("transients", "Transients against limits", _legend(design) + transients(design)),
    ]
    body = "".join(
        f'<section id="{key}"><h2>{title}</h2>{content}</section>' for key, title, content in sections
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR}\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}: {verdict}</title>\n<style>{CSS}</style>\n</head>\n<body><h1>{name}</h1>\n"
        f"<p>As the design folder states it; <code>codesign-dc audit</code> judges a folder anew.</p>\n"
        '<noscript><p class="bad">The plots need JavaScript; tables and the diagram do not.</p></noscript>\n'
        f"{body}\n<script>{get_plotlyjs()}</script>\n<script>{SCRIPT}</script>\n</body></html>\n"
    )


def _sizes(design: Design) -> str:
    if not design.plan.solved:
        return "<p>There is no design: no sizes were found.</p>"
    return (
        "<p>Each box: count and card, size, what set it, and the worst margin of each of its limits over the "
        f"static limits and all scenarios; bold where none is left.</p>{KEY}{single_line(design)}"
    )


def _legend(design: Design) -> str:
    if not design.check.scenarios:
        return ""
    return (
        "<p>Dashed: the limit. Diamond: the worst margin of the scenario, filled where it is the worst of "
        "all scenarios; a cross where a limit is broken. The judge also reads between the samples.</p>"
    )
