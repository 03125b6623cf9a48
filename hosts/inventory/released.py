"""What releases leave on a host: the names of their units, and the text of each as the agent writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hosts.agent.host import Paths
from hosts.agent.image import Image
from hosts.agent.json_object import JsonObject
from hosts.agent.state import Process
from hosts.agent.units import render


@dataclass
class Released:
    """The releases that a host may hold."""

    names: set[str] = field(default_factory=set[str])
    """Names of processes, and of cron entries as `cron-NAME`."""
    units: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """By path of a unit file, the texts that it may have."""

    def add(
        self,
        build: str,
        processes: Mapping[str, Mapping[str, Any]],
        cron: Mapping[str, object],
        image: Mapping[str, object] | None,
    ) -> None:
        """Add the processes and cron entries of one manifest, which may be that of a container image."""
        paths = Paths()
        runs = Image(paths.build(build), JsonObject(dict(image), "image")) if image else None
        self.names |= {*processes, *(f"cron-{name}" for name in cron)}
        for name, fields in processes.items():
            process = Process(name, JsonObject(dict(fields), name))
            for slot in ("blue", "green"):
                for instance, unit in enumerate(process.units(slot), start=1):
                    text = render(paths, slot, process, instance, runs)
                    self.units.setdefault(paths.unit(unit), set()).add(text)
