"""What Terraform made, from its state file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class State:
    """Of one configuration."""

    resources: dict[str, dict[str, Any]]
    """Attributes by address."""
    outputs: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> State:
        """From `terraform.tfstate`."""
        told = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            {
                f"{each['type']}.{each['name']}": instance["attributes"]
                for each in told["resources"]
                if each["mode"] == "managed"
                for instance in each["instances"]
            },
            {name: each["value"] for name, each in told["outputs"].items()},
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Attributes of all of Terraform's type `kind`."""
        return [each for address, each in self.resources.items() if address.startswith(f"{kind}.")]
