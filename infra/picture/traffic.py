"""A picture of a stack's traffic: who is where, what is public, and who reaches whom on which port.

Every arrow is an answer of `infra.proofs.reach` on the recorded graph: what a security group, route or
network ACL forbids has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from infra.proofs.network_map import Network, Place, network_map
from infra.proofs.reach import INTERNET, from_internet, reach, to_internet
from infra.recording.graph import Graph

EDGE = "Cloudflare"
TIERS = (("load balancer",), ("web", "worker"), ("database proxy", "database", "redis"))
"""The parts of a stack from the internet inwards."""
PORTS = (80, 443, 8080, 5432, 6379)
WIDTH, BOX, HIGH, STEP, LEFT = 980, 250, 74, 150, 40


@dataclass(frozen=True)
class Flow:
    """Connections that are possible: from whom to whom, on which TCP ports."""

    source: str
    target: str
    ports: tuple[int, ...]
    how: str
    """Addresses or routes that let them."""


@dataclass(frozen=True)
class Traffic:
    """The parts of a stack with their subnets, and every connection between two of them."""

    title: str
    parts: tuple[Place, ...]
    flows: tuple[Flow, ...]
    network: Network
    behind: bool
    """Do visitors come through Cloudflare?"""

    def where(self, part: Place) -> str:
        """`public subnets in az1, az2`: kind and zones of a part's subnets."""
        subnets = [self.network.subnets[each] for each in part.subnets if each in self.network.subnets]
        zones = ", ".join(sorted({subnet.zone.rpartition("-")[2] for subnet in subnets}))
        targets = {target for subnet in subnets for target in subnet.routes.values()}
        kind = "public" if targets & self.network.gateways else "private" if targets else "isolated"
        return f"{kind} subnets in {zones}" if zones else "no subnet"


def traffic(graph: Graph) -> Traffic:
    """What of a recorded stack can connect to what."""
    network = network_map(graph)
    parts = tuple(network.places[name] for tier in TIERS for name in tier if name in network.places)
    flows: list[Flow] = []
    for target in parts:
        answers = {port: from_internet(network, target, port) for port in PORTS}
        flows += _flow(INTERNET, target.name, {port: each.how for port, each in answers.items() if each.yes})
    for source in parts:
        for target in parts:
            if source is not target:
                answers = {port: reach(network, source, target, port) for port in PORTS}
                open_ports = {port: each.how for port, each in answers.items() if each.yes}
                flows += _flow(source.name, target.name, open_ports)
        out = to_internet(network, source, 443)
        flows += _flow(source.name, INTERNET, {443: out.how} if out.yes else {})
    behind = any(each.type.startswith("cloudflare:") for each in graph)
    return Traffic(f"{graph.project} · {graph.stack}", parts, tuple(flows), network, behind)


def _flow(source: str, target: str, found: dict[int, str]) -> list[Flow]:
    return [Flow(source, target, tuple(found), next(iter(found.values())))] if found else []


def svg(shown: Traffic) -> str:
    """The picture: internet above, data below, an arrow for each flow with its ports."""
    places = _layout(shown)
    height = max(y for _, y in places.values()) + HIGH + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="traffic">',
        f'<title id="traffic">Traffic of {escape(shown.title)}</title>',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>',
        f'<rect class="bg" width="{WIDTH}" height="{height}"/>',
        *(_arrow(flow, places) for flow in shown.flows if _drawn(flow, places)),
        *(_box(name, *places[name], _about(shown, name)) for name in places),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


_STYLE = (
    "text{font-family:ui-sans-serif,system-ui,sans-serif;font-size:12px;fill:#374151}"
    ".bg{fill:#f6f7f9}.part{fill:#fff;stroke:#d9dde3}.public{stroke:#f08c2e;stroke-width:2}"
    ".name{font-size:14px;font-weight:600;fill:#111827}.flow{stroke:#4c6ef5;fill:none}.head{fill:#4c6ef5}"
    "@media (prefers-color-scheme:dark){.bg{fill:#0f1318}.part{fill:#181e26;stroke:#2c3540}"
    ".name{fill:#f3f5f8}text{fill:#c7ced8}}"
)


def _layout(shown: Traffic) -> dict[str, tuple[int, int]]:
    """Left upper corners by name, tier under tier."""
    rows = [[INTERNET], *([[EDGE]] if shown.behind else [])]
    names = {part.name for part in shown.parts}
    rows += [row for tier in TIERS if (row := [name for name in tier if name in names])]
    return {
        name: (LEFT + column * (BOX + 65), 30 + number * STEP)
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
    }


def _about(shown: Traffic, name: str) -> str:
    for part in shown.parts:
        if part.name == name:
            port = f", port {part.port}" if part.port else ""
            return shown.where(part) + port + (", public address" if part.public else "")
    return "only its addresses reach the load balancer" if name == EDGE else "everyone"


def _drawn(flow: Flow, places: dict[str, tuple[int, int]]) -> bool:
    """Ways out are in the table: arrows back to the top would cross everything."""
    return flow.target != INTERNET and flow.source in places and flow.target in places


def _arrow(flow: Flow, places: dict[str, tuple[int, int]]) -> str:
    source = EDGE if flow.source == INTERNET and EDGE in places else flow.source
    (x1, y1), (x2, y2) = places[source], places[flow.target]
    start, end = (x1 + BOX // 2, y1 + HIGH), (x2 + BOX // 2, y2)
    ports = ", ".join(map(str, flow.ports))
    # Near its end, where arrows from different parts are apart.
    x, y = start[0] + (end[0] - start[0]) * 0.7 + 6, start[1] + (end[1] - start[1]) * 0.7
    return (
        f'<path class="flow" marker-end="url(#tip)" d="M{start[0]} {start[1]}L{end[0]} {end[1]}"/>'
        f'<text x="{x:g}" y="{y:g}">{ports}</text>'
    )


def _box(name: str, x: int, y: int, about: str) -> str:
    kind = "part public" if "public" in about or name in (INTERNET, EDGE) else "part"
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{BOX}" height="{HIGH}" rx="8"/>'
        f'<text class="name" x="{x + 14}" y="{y + 30}">{escape(name)}</text>'
        f'<text x="{x + 14}" y="{y + 52}">{escape(about)}</text>'
    )
