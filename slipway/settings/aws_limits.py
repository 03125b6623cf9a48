"""What AWS types of machine are and bear: read off their names."""

from __future__ import annotations

import re
from typing import Literal

Architecture = Literal["amd64", "arm64"]

EC2_TYPE = re.compile(r"^([a-z]+)(\d+)([a-z0-9-]*)\.([a-z0-9-]+)$")
"""Family, generation, attributes, size: `m7g.large`, `t3.medium`, `m7i-flex.large`, `u7i-12tb.224xlarge`."""
_IMAGE_WORDS: dict[str, Architecture] = {
    "amd64": "amd64",
    "x86_64": "amd64",
    "arm64": "arm64",
    "aarch64": "arm64",
}

_GIB = 1024**3
_SIZES = {"large": 2, "xlarge": 4}
"""vCPUs; `2xlarge` and so on are multiples of xlarge."""
_GIB_PER_VCPU = {"m": 4, "r": 8, "x": 16}
_BURSTABLE_GIB = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}
"""Memory of db.t3 and db.t4g. Source: RDS User Guide, "Hardware specifications for DB instance classes"."""
_BYTES_PER_CONNECTION = 9_531_392
_MOST_CONNECTIONS = 5_000
"""RDS for PostgreSQL's default is LEAST(DBInstanceClassMemory/9531392, 5000).
Source: AWS Prescriptive Guidance, "Tuning PostgreSQL parameters: max_connections"."""
RESERVED_CONNECTIONS = 8
"""Of these the app gets none: 3 for superusers, 2 for RDS, and 3 for a migration and its backup."""


def architecture_of_type(instance_type: str) -> Architecture | None:
    """Of an EC2 instance type; None if it is not one. A `g` right after the generation is Graviton."""
    found = EC2_TYPE.match(instance_type)
    if not found:
        return None
    return "arm64" if found[3].startswith("g") or (found[1], found[2]) == ("a", "1") else "amd64"


def architecture_of_image(image: str) -> Architecture | None:
    """Of a machine image, if its name says so; an `ami-…` does not."""
    words = re.split(r"[/.:-]", image)
    return next((found for word, found in _IMAGE_WORDS.items() if word in words), None)


def most_connections(database_type: str) -> int | None:
    """What RDS for PostgreSQL sets max_connections to on `db.…`; None for a class not known here.

    By the class's full memory: what RDS keeps of it is not published; the real number is a little lower.
    """
    memory = _memory_gib(database_type)
    return None if memory is None else min(memory * _GIB // _BYTES_PER_CONNECTION, _MOST_CONNECTIONS)


def _memory_gib(database_type: str) -> int | None:
    found = EC2_TYPE.match(database_type.removeprefix("db."))
    if not found:
        return None
    family, size = found[1], found[4]
    if family == "t":
        return _BURSTABLE_GIB.get(size)
    times = re.fullmatch(r"(\d+)xlarge", size)
    cpus = int(times[1]) * 4 if times else _SIZES.get(size)
    per_cpu = _GIB_PER_VCPU.get(family)
    return cpus * per_cpu if cpus and per_cpu else None
