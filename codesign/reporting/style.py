"""How the page looks, and the script that draws its plots."""

CSS = """
:root { --ink: #222; --grey: #666; --faint: #e3e3e3; --bad: #a33f00; --good: #00664a; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1320px; padding: 14px; color: var(--ink); background: #fff;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .3rem 0 .6rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; padding-top: .7rem; border-top: 1px solid var(--ink); }
h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
p { margin: .3rem 0 .6rem; max-width: 80ch; }
.verdict { border: 2px solid; padding: .5rem .9rem; margin: .6rem 0; }
.verdict.good { color: var(--good); }
.verdict.bad { color: #fff; background: var(--bad); border-color: var(--bad); }
.verdict p { margin: .1rem 0; } .outcome { font-size: 1.35rem; font-weight: 700; }
.bad { color: var(--bad); font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr));
  gap: .5rem 1.5rem; margin: .8rem 0; }
.facts dt, .note { color: var(--grey); font-size: .85rem; } .facts dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums;
  overflow-wrap: break-word; }
td.value { white-space: nowrap; }
th { text-align: left; font-weight: 600; }
th, td { padding: .16rem .7rem .16rem 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 0 2rem; }
.lists ul { margin: .2rem 0; padding-left: 1.1rem; }
.not { border-left: 4px solid var(--bad); padding-left: .8rem; }
details { margin: .6rem 0; } summary { cursor: pointer; font-weight: 600; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 350px), 1fr));
  gap: 1rem 1.2rem; }
.panels.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
figure { margin: 0; min-width: 0; } figure.all { grid-column: 1 / -1; }
figcaption { font-weight: 600; font-size: .92rem; }
.plot { width: 100%; } .note { margin: .1rem 0 .3rem; line-height: 1.35; } .note strong { color: var(--ink); }
.note strong.bad { color: var(--bad); }
.diagram svg { width: 100%; height: auto; display: block; }
.diagram svg.narrow { display: none; max-width: 440px; }
@media (max-width: 800px) {
  .diagram svg.wide { display: none; } .diagram svg.narrow { display: block; margin: 0 auto; }
}
@media print { details > * { display: block; } details::details-content { content-visibility: visible; }
  body { max-width: none; } figure, table, .verdict { break-inside: avoid; } }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink); }
svg text.title { font-weight: 700; font-size: 13px; } svg text.size { font-weight: 600; }
svg text.note { font-size: 12px; }
svg text.note, svg text.lane, svg text.head { fill: var(--grey); } svg text.tight { font-weight: 700; }
svg text.broken { font-weight: 700; fill: var(--bad); }
.box { fill: #fff; stroke: #222; stroke-width: 1.2; }
.box.broken { stroke: var(--bad); stroke-width: 3; }
.busbar { stroke: #222; stroke-width: 5; fill: none; }
.link { fill: none; stroke-width: 2; }
.link.power { stroke: #222; } .head.power { fill: #222; }
.link.hot { stroke: #D55E00; } .head.hot { fill: #D55E00; }
.link.warm { stroke: #E69F00; } .head.warm { fill: #E69F00; }
.link.cold { stroke: #0072B2; } .head.cold { fill: #0072B2; }
.key span { white-space: nowrap; margin-right: 1.1rem; } .key b { font-weight: 700; }
"""

SCRIPT = """
(function () {
  var fine = matchMedia("(pointer: fine)").matches;
  var config = {displayModeBar: false, responsive: !window.ResizeObserver, showTips: false};
  var sized = window.ResizeObserver && new ResizeObserver(function (entries) {
    entries.forEach(function (entry) { Plotly.Plots.resize(entry.target); });
  });
  function draw(box) {
    var data = JSON.parse(box.querySelector("script").textContent);
    if (!fine) { data.layout.dragmode = false; }
    Plotly.newPlot(box, data.data, data.layout, config);
    if (sized) { sized.observe(box); }
  }
  document.querySelectorAll(".plot").forEach(draw);
  addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open])").forEach(function (box) {
      box.open = true; box.dataset.folded = "";
    });
  });
  addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-folded]").forEach(function (box) {
      box.open = false; delete box.dataset.folded;
    });
  });
})();
"""
