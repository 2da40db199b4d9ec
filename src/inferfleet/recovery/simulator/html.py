"""A simulation's report as one HTML file: figures, a timeline of the nodes in trouble, and how long repairs took."""

from html import escape

from inferfleet.recovery.core.policy import DAY
from inferfleet.recovery.simulator.monitor import Span, Trail
from inferfleet.recovery.simulator.run import START, Outcome

_COLOURS = {
    "suspect": "#e8c547",
    "examining": "#5b8fd9",
    "condemned": "#e07b39",
    "resetting": "#b04fc4",
    "rebooting": "#8a63d2",
    "replacing": "#c0392b",
    "quarantined": "#5a1a1a",
    "leaving": "#7f8c8d",
}
_ROWS = 60
_WIDTH, _ROW, _LEFT = 1000, 11, 90
_BINS = 24


def page(outcome: Outcome) -> str:
    """The whole report."""
    settings = outcome.settings
    title = f"{settings['nodes']:,} nodes, {outcome.gpus:,} GPUs, {settings['days']:g} days, {settings['profile']}"
    body = [
        f"<h1>Recovery simulated: {escape(title)}</h1>",
        _figures(outcome),
        "<h2>The nodes that were in trouble longest</h2>",
        _legend(),
        _timeline(outcome.spans, float(settings["days"])),
        "<h2>From fault to repaired</h2>",
        _histogram([trail.repaired / 60 for trail in outcome.trails if trail.repaired is not None], "minutes"),
        "<h2>From fault to fenced</h2>",
        _histogram([trail.fenced for trail in outcome.trails if trail.fenced is not None], "seconds"),
        "<h2>Causes</h2>",
        _causes(outcome.causes, outcome.trails),
        "<h2>Calls for a person</h2>",
        "<ul>" + "".join(f"<li>{escape(call)}</li>" for call in outcome.calls) + "</ul>"
        if outcome.calls
        else "<p>None.</p>",
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>{_STYLE}{''.join(body)}</html>"
    )


_STYLE = """<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.25rem .9rem .25rem 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}
svg text{font:10px system-ui,sans-serif;fill:#555}.k{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}
</style>"""


def _figures(outcome: Outcome) -> str:
    rows = [
        ("effective time", f"{outcome.effective_share:.2%}"),
        ("faults, interruptions", f"{outcome.faults:,}, {outcome.interruptions:,}"),
        ("limits broken", str(outcome.limits_broken)),
        ("jobs lost", str(outcome.jobs_lost)),
        ("people called", str(outcome.people_called)),
        ("reboots, of them false", f"{outcome.reboots:,}, {outcome.false_reboots}"),
        ("replacements", f"{outcome.replacements:,}"),
        ("time to detect, median and p95", _pair(outcome.detect)),
        ("time to fence, median and p95", _pair(outcome.fence)),
        ("time to repair, median and p95", _pair(outcome.repair)),
        ("events, of them lost", f"{outcome.events:,}, {outcome.events_lost:,}"),
        ("seed", str(outcome.settings["seed"])),
    ]
    return "<table>" + "".join(f"<tr><td>{name}</td><td class=n>{value}</td></tr>" for name, value in rows) + "</table>"


def _pair(seconds: tuple[float, float]) -> str:
    return ", ".join(f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min" for value in seconds)  # noqa: PLR2004


def _legend() -> str:
    return (
        "<p>" + "".join(f'<span class=k style="background:{c}"></span>{name}' for name, c in _COLOURS.items()) + "</p>"
    )


def _timeline(spans: list[Span], days: float) -> str:
    total: dict[str, float] = {}
    for span in spans:
        total[span.node] = total.get(span.node, 0.0) + span.end - span.begin
    rows = sorted(total, key=lambda node: -total[node])[:_ROWS]
    at = {node: row for row, node in enumerate(sorted(rows))}
    scale = _WIDTH / (days * DAY)
    height = len(rows) * _ROW + 20
    marks = [
        f'<rect x="{_LEFT + (span.begin - START) * scale:.1f}" y="{at[span.node] * _ROW + 1}" '
        f'width="{max(1.0, (span.end - span.begin) * scale):.1f}" height="{_ROW - 2}" '
        f'fill="{_COLOURS.get(span.phase, "#999")}"><title>{escape(span.node)} {span.phase} '
        f"{(span.end - span.begin) / 60:.1f} min</title></rect>"
        for span in spans
        if span.node in at
    ]
    names = [f'<text x="4" y="{row * _ROW + 9}">{escape(node)}</text>' for node, row in at.items()]
    step = max(1, round(days / 10))
    axis = [
        f'<text x="{_LEFT + day * DAY * scale:.0f}" y="{height - 4}">day {day}</text>'
        for day in range(0, int(days) + 1, step)
    ]
    return _svg(_WIDTH + _LEFT, height, [*names, *marks, *axis])


def _histogram(values: list[float], unit: str) -> str:
    if not values:
        return "<p>None.</p>"
    top = sorted(values)[min(len(values) - 1, int(len(values) * 0.95))] or 1.0
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int(value / top * _BINS))] += 1
    width, height, peak = 700 / _BINS, 140, max(counts)
    bars = [
        f'<rect x="{at * width:.1f}" y="{height - count / peak * height:.1f}" width="{width - 2:.1f}" '
        f'height="{count / peak * height:.1f}" fill="#5b8fd9"><title>{count}</title></rect>'
        for at, count in enumerate(counts)
    ]
    axis = [
        f'<text x="{at * 700 / 4:.0f}" y="{height + 14}">{top * at / 4:.0f}'
        f"{f' {unit}; the last bar has all beyond' if at == 4 else ''}</text>"  # noqa: PLR2004
        for at in range(5)
    ]
    return _svg(940, height + 20, [*bars, *axis])


def _causes(causes: dict[str, int], trails: list[Trail]) -> str:
    def middle(name: str) -> str:
        times = sorted(t.repaired for t in trails if t.cause == name and t.repaired is not None)
        return f"{times[len(times) // 2] / 60:.1f} min" if times else ""

    rows = "".join(
        f"<tr><td>{escape(name)}</td><td class=n>{count}</td><td class=n>{middle(name)}</td></tr>"
        for name, count in causes.items()
    )
    return f"<table><tr><th>cause</th><th>faults</th><th>median time to repair</th></tr>{rows}</table>"


def _svg(width: float, height: float, parts: list[str]) -> str:
    return f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img">{"".join(parts)}</svg>'
