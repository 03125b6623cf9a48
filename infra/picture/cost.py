"""An estimate of a stack's monthly cost without traffic: fixed prices only, with the minimum of hosts.

Not included, because it depends on use: data transfer, NAT traffic, S3, logs, load balancer capacity beyond
one unit, backups beyond the database's size, mail, requests, KMS calls; and Cloudflare's plan.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infra.policies.reading import at, entries
from infra.policies.rule import World
from infra.recording import Graph, Resource

NOT_IN_IT = (
    "data transfer, NAT traffic, S3, logs, capacity of the load balancer beyond one unit, backups beyond the "
    "database's size, mail, Cloudflare's plan"
)
_VCPUS = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}


@dataclass(frozen=True)
class Item:
    """A number of one item, for one concern."""

    concern: str
    what: str
    """The item's name in the price table."""
    count: float

    @property
    def usd(self) -> float | None:
        """Cost of a month; None: the table has no price."""
        price = prices().by_item.get(self.what)
        return None if price is None else round(price.usd * self.count, 2)


@dataclass(frozen=True)
class Cost:
    """The estimate: all items."""

    items: tuple[Item, ...]

    @property
    def usd(self) -> float:
        """Monthly cost of all items with a price."""
        return round(sum(item.usd or 0 for item in self.items), 2)

    @property
    def unpriced(self) -> tuple[str, ...]:
        return tuple(sorted({item.what for item in self.items if item.usd is None}))

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        table = prices()
        return {
            "usd_per_month": self.usd,
            "estimate": True,
            "prices_of": table.date,
            "region": table.region,
            "items": [
                {
                    "concern": item.concern,
                    "what": item.what,
                    "count": item.count,
                    "usd_per_month": item.usd,
                    "source": table.by_item[item.what].source if item.usd is not None else None,
                    "verified": item.usd is not None and table.by_item[item.what].verified,
                }
                for item in self.items
            ],
            "unpriced": list(self.unpriced),
            "not_in_it": NOT_IN_IT,
        }


def cost(graph: Graph) -> Cost:
    """The estimate for a recorded stack."""
    counted: dict[tuple[str, str], float] = {}
    for concern, what, count in _all(graph):
        counted[concern, what] = counted.get((concern, what), 0) + count
    return Cost(tuple(Item(concern, what, count) for (concern, what), count in counted.items() if count))


Counted = Iterator[tuple[str, str, float]]


def _all(graph: Graph) -> Counted:
    world = World(graph)
    for group in graph.of("aws:autoscaling/group:Group"):
        yield from _hosts(group, world)
    for database in graph.of("aws:rds/instance:Instance"):
        twice = 2 if database.inputs.get("multiAz") else 1
        yield "Database", str(database.inputs["instanceClass"]), twice
        yield "Database", "database GB", twice * database.inputs.get("allocatedStorage", 0)
        size = str(database.inputs["instanceClass"]).rpartition(".")[2]
        yield "Database", "proxy vCPU", _VCPUS.get(size, 2) * len(graph.of("aws:rds/proxy:Proxy"))
    for redis in graph.of("aws:elasticache/replicationGroup:ReplicationGroup"):
        yield "Redis", str(redis.inputs["nodeType"]), redis.inputs.get("numCacheClusters", 1)
    for balancer in graph.of("aws:lb/loadBalancer:LoadBalancer"):
        yield "Load balancer", "load balancer", 1
        yield "Load balancer", "load balancer capacity unit", 1
        yield "Load balancer", "public address", len(balancer.inputs.get("subnets") or [])
    for acl in graph.of("aws:wafv2/webAcl:WebAcl"):
        yield "Load balancer", "web ACL", 1
        yield "Load balancer", "web ACL rule", len(acl.inputs.get("rules") or [])
    yield from _network(graph)
    yield "Vault", "key", len(graph.of("aws:kms/key:Key"))
    yield "Vault", "secret", len(graph.of("aws:secretsmanager/secret:Secret")) + _masters(graph)
    yield "Alarms", "alarm", len(graph.of("aws:cloudwatch/metricAlarm:MetricAlarm"))


def _hosts(group: Resource, world: World) -> Counted:
    count = group.inputs.get("desiredCapacity") or group.inputs.get("minSize") or 0
    for template in world.behind(group, "launchTemplate", "aws:ec2/launchTemplate:LaunchTemplate"):
        yield "Hosts", str(template.inputs["instanceType"]), count
        for disk in entries(template.inputs.get("blockDeviceMappings")):
            yield "Hosts", "disk GB", count * (at(disk, "ebs.volumeSize") or 0)


def _network(graph: Graph) -> Counted:
    yield "Network", "nat gateway", len(graph.of("aws:ec2/natGateway:NatGateway"))
    yield "Network", "public address", len(graph.of("aws:ec2/eip:Eip"))
    for endpoint in graph.of("aws:ec2/vpcEndpoint:VpcEndpoint"):
        if endpoint.inputs.get("vpcEndpointType") == "Interface":
            yield "Network", "interface endpoint", len(endpoint.inputs.get("subnetIds") or [])


def _masters(graph: Graph) -> int:
    """RDS makes one secret more for the master user's password."""
    return sum(
        1 for each in graph.of("aws:rds/instance:Instance") if each.inputs.get("manageMasterUserPassword")
    )


@dataclass(frozen=True)
class Price:
    """The price of one item."""

    usd: float
    """USD for a month."""
    source: str
    verified: bool


@dataclass(frozen=True)
class Prices:
    """The table `prices.toml`: list prices with date and region."""

    date: str
    region: str
    by_item: dict[str, Price]


@cache
def prices() -> Prices:
    """The table, with hourly prices multiplied by the hours of a month."""
    document = tomllib.loads(Path(__file__).with_name("prices.toml").read_text(encoding="utf-8"))
    found: dict[str, Price] = {}
    for group in document["price"]:
        hours = document["hours"] if group["unit"] == "hour" else 1
        for item, usd in group["items"].items():
            found[item] = Price(usd * hours, group["source"], group["verified"])
    return Prices(document["date"], document["region"], found)
