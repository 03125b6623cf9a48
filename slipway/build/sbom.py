"""The bill of materials: packages of the lock files as CycloneDX 1.6 JSON, byte for byte reproducible."""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

from cyclonedx import model
from cyclonedx.model import bom as bill, component
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from slipway.build.lockfiles import Package
from slipway.build.manifest import RuntimeOf, canonical

BUILDER = "slipway"

# A decorator of the library's hides its constructors from type checkers.
Bom: Any = bill.Bom
BomMetaData: Any = bill.BomMetaData
Component: Any = component.Component
HashType: Any = model.HashType


def make_sbom(app: str, version: str, runtime: RuntimeOf, packages: Sequence[Package]) -> bytes:
    """Canonical JSON of the SBOM of `app` at `version` (a commit, may be empty).

    No time and no random serial number: the serial number is made from what the SBOM says.
    """
    components = [_component(package) for package in packages]
    if runtime.version:
        components.append(
            Component(
                type=component.ComponentType.PLATFORM,
                name=runtime.name,
                version=runtime.version,
                bom_ref=f"runtime:{runtime.name}@{runtime.version}",
            )
        )
    root = Component(
        type=component.ComponentType.APPLICATION, name=app, version=version or None, bom_ref=f"app:{app}"
    )
    bom = Bom(components=components, metadata=BomMetaData(component=root), serial_number=uuid.UUID(int=0))
    bom.register_dependency(root, components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    content: dict[str, Any] = json.loads(text)
    content["metadata"].pop("timestamp", None)
    content.pop("serialNumber", None)
    name = hashlib.sha256(canonical(content)).hexdigest()
    content["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{BUILDER}:{name}')}"
    return canonical(content)


def _component(package: Package) -> Any:
    namespace, _, short = package.name.rpartition("/")
    purl = PackageURL(package.ecosystem, namespace or None, short, package.version)
    hashes = [
        HashType(alg=model.HashAlgorithm(algorithm), content=content)
        for algorithm, content in _hashes(package.integrity)
    ]
    return Component(
        name=short,
        group=namespace or None,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=hashes,
        scope=component.ComponentScope.EXCLUDED if package.development else component.ComponentScope.REQUIRED,
    )


def _hashes(integrity: str) -> list[tuple[str, str]]:
    """(CycloneDX name, hex) of the hashes in a lock file's integrity."""
    found: list[tuple[str, str]] = []
    for bits, separator, content in re.findall(r"sha(1|256|384|512)([-:])(\S+)", integrity):
        digits = content if separator == ":" else base64.b64decode(content).hex()
        found.append((f"SHA-{bits}", digits))
    return found
