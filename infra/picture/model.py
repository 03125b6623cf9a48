"""What a picture shows: a card for each concern, and lines between concerns that depend on each other."""

from collections import Counter
from dataclasses import dataclass

from infra.recording import Graph, Resource
from infra.recording.sdk import snake_case

COLUMNS = ("In front", "Entrance", "Hosts", "Data", "Ground", "Watch")
PLACES: dict[str, tuple[int, str, str]] = {
    "slipway:cloudflare:Front": (0, "Cloudflare", "DNS, strict TLS, rules"),
    "slipway:cloudflare:Realtime": (0, "Real-time Worker", "Durable Objects"),
    "slipway:cloudflare:Uploads": (0, "R2 uploads", "bucket and scoped token"),
    "slipway:cloudflare:Proofs": (0, "DNS proofs", "for certificate and mail"),
    "slipway:aws:Dns": (0, "Route 53", "the site's records"),
    "slipway:aws:LoadBalancer": (1, "Load balancer", "firewall, sticky targets, logs"),
    "slipway:aws:Listeners": (1, "Listeners", "TLS, HSTS, mutual TLS"),
    "slipway:aws:Certificate": (1, "Certificate", "renews itself"),
    "slipway:aws:Compute": (2, "Hosts", "web and worker groups"),
    "slipway:aws:HostAccess": (2, "Host access", "sessions only, no open port"),
    "slipway:aws:Identity": (2, "Identity", "roles, GitHub by OIDC"),
    "slipway:aws:Database": (3, "PostgreSQL", "RDS, proxy, backups"),
    "slipway:aws:Cache": (3, "Redis", "TLS, no eviction"),
    "slipway:aws:Storage": (3, "Buckets", "builds, uploads, logs"),
    "slipway:aws:Network": (4, "Network", "VPC, zones, endpoints"),
    "slipway:aws:Vault": (4, "Vault", "key and empty secrets"),
    "slipway:aws:PublishedOutputs": (4, "Stack outputs", "what the pipeline reads"),
    "slipway:aws:Alarms": (5, "Alarms", "one alert table"),
    "slipway:aws:Audit": (5, "Audit", "every call, validated"),
    "slipway:aws:Budget": (5, "Budget", "an alarm on the bill"),
    "slipway:aws:Mail": (5, "Mail", "identity, bounces"),
}
"""By component: its column, title and description."""

STATEFUL_WORDS = {"database instance", "replication group", "bucket", "key", "secret", "r2 bucket"}
_WORDS = {
    "aws:rds/instance:Instance": "database instance",
    "aws:rds/proxy:Proxy": "database proxy",
    "aws:autoscaling/group:Group": "scaling group",
    "aws:autoscaling/policy:Policy": "scaling policy",
    "aws:wafv2/webAcl:WebAcl": "web ACL",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "ingress rule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "egress rule",
    "aws:ec2/vpc:Vpc": "VPC",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "VPC endpoint",
    "aws:ec2/natGateway:NatGateway": "NAT gateway",
    "aws:ec2/eip:Eip": "address",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "alarm",
    "cloudflare:index/dnsRecord:DnsRecord": "DNS record",
    "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings": "origin pulls",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "lifecycle",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "ownership",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "public access block",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "encryption",
    "aws:s3/bucketVersioning:BucketVersioning": "versioning",
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": "CORS",
    "aws:s3/bucketObjectv2:BucketObjectv2": "bucket object",
    "aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination": "event destination",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "OIDC provider",
}


@dataclass(frozen=True)
class Card:
    """One concern."""

    urn: str
    column: int
    title: str
    about: str
    kinds: tuple[tuple[str, int], ...]
    """Kinds of resources and their number, the most informative first."""
    resources: int
    holds_data: bool


@dataclass(frozen=True)
class Line:
    """`source` depends on `target`, from which `weight` of its inputs come."""

    source: str
    target: str
    weight: int


@dataclass(frozen=True)
class Picture:
    """All of one stack."""

    project: str
    stack: str
    cards: tuple[Card, ...]
    lines: tuple[Line, ...]
    resources: int

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        titles = {card.urn: card.title for card in self.cards}
        return {
            "project": self.project,
            "stack": self.stack,
            "resources": self.resources,
            "concerns": [
                {
                    "title": card.title,
                    "column": COLUMNS[card.column],
                    "about": card.about,
                    "urn": card.urn,
                    "resources": card.resources,
                    "kinds": dict(card.kinds),
                    "holds_data": card.holds_data,
                }
                for card in self.cards
            ],
            "needs": [
                {"from": titles[line.source], "to": titles[line.target], "inputs": line.weight}
                for line in self.lines
            ],
        }


def picture(graph: Graph) -> Picture:
    """The picture of a recorded stack. Concerns that are not in the table come last."""
    above = {each.urn: _concern(each, graph) for each in graph}
    order = list(PLACES)
    tops = [each for each in graph if not each.parent and not each.custom]
    tops.sort(key=lambda each: (order.index(each.type) if each.type in order else len(order), each.name))
    cards = tuple(_card(top, [each for each in graph if above[each.urn] == top.urn]) for top in tops)
    weights: Counter[tuple[str, str]] = Counter()
    for each in graph:
        for sources in each.property_depends_on.values():
            for urn in sources:
                pair = (above[each.urn], above.get(urn, ""))
                if all(pair) and pair[0] != pair[1]:
                    weights[pair] += 1
    lines = tuple(Line(*pair, weight) for pair, weight in sorted(weights.items()))
    return Picture(graph.project, graph.stack, cards, lines, sum(1 for each in graph if each.custom))


def _concern(resource: Resource, graph: Graph) -> str:
    """URN of the top-level component that contains it; empty: none."""
    while resource.parent:
        found = graph.by_urn(resource.parent)
        if found is None:
            break
        resource = found
    return "" if resource.custom else resource.urn


def _card(top: Resource, members: list[Resource]) -> Card:
    column, title, about = PLACES.get(top.type, (5, top.type.rpartition(":")[2], top.name))
    if top.type == "slipway:cloudflare:Proofs":
        mail = "mail" in top.name
        title, about = ("Proof of mail", "DKIM") if mail else ("Proof of name", "for the certificate")
    counted = Counter(_kind(each) for each in members if each.custom)
    kinds = sorted(counted.items(), key=lambda pair: (pair[0] not in STATEFUL_WORDS, -pair[1], pair[0]))
    return Card(
        top.urn,
        column,
        title,
        about,
        tuple(kinds),
        counted.total(),
        any(k in STATEFUL_WORDS for k in counted),
    )


def _kind(resource: Resource) -> str:
    return _WORDS.get(resource.type) or snake_case(resource.type.rpartition(":")[2]).replace("_", " ")
