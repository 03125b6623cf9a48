"""One page on a stack before it exists: its traffic, what it is made of, what it costs, what it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from infra.picture import traffic
from infra.picture.cost import NOT_IN_IT, cost, prices
from infra.picture.model import picture
from infra.picture.svg import svg
from infra.policies import RULES, World, judge
from infra.proofs import prove
from infra.recording.graph import Graph
from slipway.settings.aws import Purpose

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;"
    "color:#111827;background:#fff}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #e3e6ea;vertical-align:top}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}"
    "@media (prefers-color-scheme:dark){body{color:#f3f5f8;background:#0f1318}th,td{border-color:#2c3540}}"
)


def report(graph: Graph, purpose: Purpose) -> str:
    """The page as HTML that needs nothing else: no script, no other file."""
    shown, estimate, listed = traffic.traffic(graph), cost(graph), prices()
    broken, problems = judge(World(graph, purpose), RULES), list(prove(graph))
    title = f"{graph.project}, stack {graph.stack}"
    flows = [(flow.source, flow.target, ", ".join(map(str, flow.ports)), flow.how) for flow in shown.flows]
    costs = [
        (item.concern, item.what, f"{item.count:g}", "no price" if item.usd is None else f"{item.usd:.2f}")
        for item in estimate.items
    ]
    kept = f"All {len(RULES)} rules and the proofs are kept." if not broken and not problems else ""
    return "\n".join((
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        "<h2>Traffic</h2>", traffic.svg(shown),
        _table(("from", "to", "TCP ports", "by"), flows),
        "<h2>What it is made of</h2>", svg(picture(graph)),
        "<h2>What it costs</h2>",
        f"<p>About {estimate.usd:.0f} USD a month: list prices of {escape(str(listed.date))}, "
        f"{escape(listed.region)}, on demand. Not in it: {escape(NOT_IN_IT)}</p>",
        _table(("concern", "what", "count", "USD a month"), costs, numbers=(2, 3)),
        "<h2>What it keeps</h2>", f"<p>{kept}</p>" if kept else "",
        _table(
            ("severity", "rule", "resource", "problem", "remedy"),
            [
                (each.control.severity, each.control.id, each.where, each.problem, each.control.what_to_do)
                for each in broken
            ],
        ),
        _table(
            ("proof", "resource", "problem", "source"),
            [(each.proof, each.where, each.problem, each.source) for each in problems],
        ),
        "</body></html>",
    )) + "\n"  # fmt: skip


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Nothing if there are no rows."""
    lines = [
        "".join(
            f"<td{' class=n' if place in numbers else ''}>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        for row in rows
    ]
    if not lines:
        return ""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
