"""The manifest: what a build is, and all a host needs to run it. Its id is the hash of its content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
)

from hosts.agent.signature import canonical, manifest_id
from slipway.build.source import matcher
from slipway.settings import App, BadInput, Cron, EnvVar, Migrate, Process, SlipwayError, Smoke, WebSocket
from slipway.settings.schema import Command, EnvName, Folder, HttpPath, Name, Table

if TYPE_CHECKING:
    from slipway.storage.bucket import Bucket


SCHEMA = 3
"""Grows with every change of shape: an older slipway must refuse what it would misread.

1 and 2 had ids of 48 bits, for which another content can be found in a minute: they are refused.
"""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
BuildId = Annotated[str, StringConstraints(pattern=r"^b[0-9a-f]{64}$")]


Kind = Literal["runtime", "deps", "app", "image"]


class Part(Table):
    """A part of the manifest."""


class RuntimeOf(Part):
    """The pinned runtime; `version` is empty for `debian`, `image` and `none`."""

    name: Literal["bun", "debian", "deno", "image", "node", "python", "none"]
    version: str = ""


class Git(Part):
    """State of the source. `sha` is empty outside of git."""

    sha: str = ""
    dirty: bool = False
    subject: str = ""


class Layer(Part):
    """A tar.zst that unpacks into the build's root. Sizes in bytes; `unpacked_size` as on a disk."""

    kind: Kind
    digest: Digest
    size: int = Field(ge=0)
    unpacked_size: int = Field(ge=0)

    @property
    def key(self) -> str:
        """Its key in the builds bucket."""
        return f"layers/{self.digest.replace(':', '-')}.tar.zst"


class Image(Part):
    """The container image whose file system the build is."""

    digest: Digest
    """The digest of its manifest, or of its config if docker saved it."""
    reference: str = ""
    """Where it was pulled from."""
    user: str = ""
    """Who ran it elsewhere. Here every process has an account of its own."""
    ports: list[str] = Field(default_factory=list[str])
    env: dict[str, str] = Field(default_factory=dict[str, str])
    """Its variables; the app's own override them."""


class Migration(Part):
    """A migration that this build knows. `contract` bars a rollback past it."""

    id: str
    contract: bool = False
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class MigrateCommand(Part):
    """How the schema is moved from this build."""

    command: Command
    """Run by sh."""
    directory: Folder = "."
    timeout_seconds: int
    folder: str = ""
    """Digest of every file beside the migrations: changes that `migrate.files` does not match count too."""


class Declared(Part):
    """What slipway.toml declared about this build's code.

    A rollback to the build stages, boots and smoke-tests it by this, not by today's file.
    """

    env: dict[EnvName, EnvVar] = Field(default_factory=dict[str, EnvVar])
    smoke: Smoke = Smoke()
    websocket: WebSocket | None = None
    probe: HttpPath | None = None
    """`observe.probe`."""


class Manifest(Part):
    """One build. Made by `seal`, read by `load_manifest`; the id is the hash of everything else in it."""

    schema_: Literal[3] = Field(default=SCHEMA, alias="schema")
    id: BuildId
    app: Name
    arch: Literal["x64", "arm64"]
    runtime: RuntimeOf
    git: Git
    layers: list[Layer]
    migrations: list[Migration] = Field(default_factory=list[Migration])
    processes: dict[Name, Process]
    """As in slipway.toml, with every role filled in."""
    cron: dict[Name, Cron] = Field(default_factory=dict[str, Cron])
    migrate: MigrateCommand | None = None
    declared: Declared | None = None
    sbom: Digest
    """Digest of `builds/<id>.cdx.json`."""
    image: Image | None = None
    """Left out of the JSON where there is none, so that the ids of builds from before are as they were."""
    input: Digest
    """Digest of source, runtime, commands and settings: the same input is not built twice."""
    notes: list[str] = Field(default_factory=list[str])
    """Remarks for a person, for example on source maps in the build."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True)

    @model_serializer(mode="wrap")
    def _without_no_image(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content = handler(self)
        if self.image is None:
            content.pop("image", None)
        return content

    @property
    def migrations_digest(self) -> str:
        """Changes with the migrations, their folder and their command; 12 hex digits.

        Empty if no migration was found: whether the schema moves is then unknown.
        """
        if not self.migrations or self.migrate is None:
            return ""
        content = [*(each.model_dump() for each in self.migrations), self.migrate.model_dump()]
        return hashlib.sha256(canonical(content)).hexdigest()[:12]

    @property
    def schema_head(self) -> str | None:
        """The newest migration that this build knows."""
        return self.migrations[-1].id if self.migrations else None

    @property
    def key(self) -> str:
        """Its key in the builds bucket."""
        return f"builds/{self.id}.json"

    def as_declared(self, today: App) -> App:
        """`today` with what belongs to this build's code as it was when the build was made.

        Limits, windows and hold times stay today's: they are the operator's, not the code's.
        """
        if self.declared is None:
            return today
        declared = self.declared
        return today.model_copy(
            update={
                "processes": self.processes,
                "cron": self.cron,
                "env": declared.env,
                "smoke": declared.smoke,
                "websocket": declared.websocket,
                "observe": today.observe.model_copy(update={"probe": declared.probe}),
            }
        )


def declared_by(app: App) -> Declared:
    """The part of slipway.toml that a build carries with it; texts for a person are left out."""
    env = {name: var.model_copy(update={"describe": ""}) for name, var in app.env.items()}
    return Declared(env=env, smoke=app.smoke, websocket=app.websocket, probe=app.observe.probe)


def seal(**content: Any) -> Manifest:
    """A manifest of `content` (every field but schema and id), with the id that follows from it."""
    draft = Manifest.model_validate({"schema": SCHEMA, "id": "b" + "0" * 64, **content})
    return draft.model_copy(update={"id": manifest_id(draft.model_dump(mode="json"))})


def read_manifest(content: Mapping[str, Any], where: str) -> Manifest:
    """A manifest that was stored at `where`.

    Raises BadInput for a newer schema than this slipway knows, SlipwayError for a damaged one.
    """
    schema = content.get("schema")
    if schema in (1, 2):
        raise BadInput(
            f"{where} was made by an older slipway, with an id that can be forged",
            remedy="release that source again; a rollback can go to a release that was made since",
        )
    if schema != SCHEMA:
        raise BadInput(
            f"{where} has schema {schema}, this slipway reads up to {SCHEMA}",
            remedy="a newer slipway made it: update slipway",
        )
    if content.get("id") != manifest_id(content):
        raise SlipwayError(
            f"{where} is damaged: its id is {content.get('id')}, its content says {manifest_id(content)}",
            remedy="release that source again; a rollback can go to another release",
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise SlipwayError(f"{where} is not a manifest: {error.errors()[0]['msg']}") from error


def input_key(digest: str) -> str:
    """The key under which the build of an input (`sha256:<hex>`) is found."""
    return f"inputs/{digest.removeprefix('sha256:')}.json"


def short(build: str) -> str:
    """A build's id as a person reads it; never enough to find a build by."""
    return build[:13]


def load_manifest(bucket: Bucket, build: str) -> Manifest:
    """The manifest of build `build`. Raises BadInput if the bucket does not have it, or has another there."""
    key = f"builds/{build}.json"
    found = bucket.get_json(key)
    if found is None:
        raise BadInput(
            f"there is no build {build} in the builds bucket",
            remedy="slipway history shows the builds of each release",
        )
    manifest = read_manifest(found[0], key)
    if manifest.id != build:
        raise BadInput(f"{key} holds build {manifest.id}", remedy="release that source again")
    return manifest


def read_migrations(files: Mapping[str, Path], migrate: Migrate | None) -> list[Migration]:
    """The migrations among `files` (where each is, by its name in the build), by id."""
    if migrate is None:
        return []
    return [_read(id_, path, migrate) for id_, path in migration_files(files, migrate).items()]


def migration_files(files: Mapping[str, Path], migrate: Migrate | None) -> dict[str, Path]:
    """The migrations among `files` (where each is, by its name in the context), by id and sorted.

    An id is the file's name without `.up.sql` or `.sql`; where that is not unique
    (`<id>/migration.sql`), its folder's name comes before it. Down scripts are not migrations.
    """
    if migrate is None:
        return {}
    wanted = matcher([migrate.files])
    names = [name for name in files if wanted(name) and not name.endswith(".down.sql")]
    count = Counter(_short(name) for name in names)

    def id_of(name: str) -> str:
        short = _short(name)
        return short if count[short] == 1 else f"{PurePosixPath(name).parent.name}/{short}"

    return dict(sorted((id_of(name), files[name]) for name in names))


def unmatched_migrations(files: Mapping[str, Path], migrate: Migrate) -> dict[str, Path]:
    """Files beside the migrations that `migrate.files` does not match, by name and sorted.

    They lie in the fixed folder of the pattern, or, if it has none, where the matched files are.
    """
    wanted = matcher([migrate.files])
    fixed = migrate.files.split("*")[0].split("?")[0].split("[")[0].rpartition("/")[0]
    if fixed:
        folders = {fixed}
    else:
        folders = {str(PurePosixPath(name).parent) for name in files if wanted(name)} - {"."}
    return {
        name: files[name]
        for name in sorted(files)
        if any(name.startswith(f"{folder}/") for folder in folders)
        and not wanted(name)
        and not name.endswith(".down.sql")
    }


def folder_digest(files: Mapping[str, Path]) -> str:
    """12 hex digits over names and content; empty without files."""
    content = [[name, hashlib.sha256(path.read_bytes()).hexdigest()] for name, path in files.items()]
    return hashlib.sha256(canonical(content)).hexdigest()[:12] if content else ""


def _read(id_: str, path: Path, migrate: Migrate) -> Migration:
    content = path.read_bytes()
    lines = content.decode("utf-8", "replace").splitlines()
    return Migration(
        id=id_,
        contract=any(line.strip() == migrate.contract_marker.strip() for line in lines),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _short(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(".sql").removesuffix(".up")
