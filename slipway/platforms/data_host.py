"""What a fleet's own data host gives, as stack outputs: buckets, database, Redis. Pure."""

from dataclasses import dataclass

from hosts.plan import REDIS_PORT
from slipway.secrets.derived import PREVIEWS_KEY
from slipway.settings import Bucket, Redis, Stack
from slipway.settings.outputs import Database

CA_ON_HOSTS = "/etc/slipway/ca.pem"
S3_PORT, POSTGRES_PORT, PGBOUNCER_PORT = 7070, 5432, 6432


@dataclass(frozen=True)
class DataServices:
    """The services of `stack`'s data host, called `host`, at the fleet's private `address`."""

    stack: Stack
    host: str
    address: str

    @property
    def endpoint(self) -> str:
        """S3 as the fleet reaches it."""
        return f"https://{self.address}:{S3_PORT}"

    def builds(self, ca_file: str = "") -> Bucket:
        """The builds bucket; `ca_file` as in the outputs."""
        return Bucket(
            bucket=f"{self.stack.fleet_id}-builds",
            endpoint=self.endpoint,
            tunnel=self.host,
            ca_file=ca_file,
            access_key="builds-writer",
            secret_key_secret=BUILDS,
            reader_access_key="builds-reader",
            reader_secret_key_secret=BUILDS_READER,
        )

    def uploads(self, public_endpoint: str, ca_file: str = "") -> Bucket | None:
        """The uploads bucket if the stack asks for one; browsers reach it at `public_endpoint`."""
        if not self.stack.uploads:
            return None
        return Bucket(
            bucket=f"{self.stack.fleet_id}-uploads",
            endpoint=self.endpoint,
            public_endpoint=public_endpoint,
            tunnel=self.host,
            ca_file=ca_file,
            access_key="uploads",
            secret_key_secret=UPLOADS,
        )

    def database(self) -> Database | None:
        """PostgreSQL if the stack asks for it: the app through PgBouncer, migrations directly."""
        if self.stack.database != "postgres":
            return None
        name = self.stack.project.replace("-", "_")
        return Database(
            url=self._postgres(f"{name}_app", DATABASE_APP, PGBOUNCER_PORT, name),
            migrate_url=self._postgres(f"{name}_owner", DATABASE_OWNER, POSTGRES_PORT, name),
            app_role=f"{name}_app",
            name=name,
            ca_file=CA_ON_HOSTS,
            backup_host=self.host,
        )

    def redis(self, address: str = "") -> Redis | None:
        """Redis if the stack asks for it; `address`: where hosts of the app find it, if elsewhere."""
        if not self.stack.redis:
            return None
        return Redis(
            url=f"redis://:${{secret:{REDIS}}}@{address or self.address}:{REDIS_PORT}/0",
            namespace=self.stack.fleet_id,
        )

    def _postgres(self, role: str, password: str, port: int, database: str) -> str:
        where = f"{self.address}:{port}/{database}"
        return f"postgres://{role}:${{secret:{password}}}@{where}?sslmode=verify-full"


DATABASE_OWNER = "PLATFORM_DATABASE_OWNER_PASSWORD"
DATABASE_APP = "PLATFORM_DATABASE_APP_PASSWORD"
DATABASE_PREVIEWS = "PLATFORM_DATABASE_PREVIEWS_PASSWORD"
"""The role that has it makes previews' databases, where the server is not on their host."""
REDIS = "PLATFORM_REDIS_PASSWORD"
S3_ROOT = "PLATFORM_S3_ROOT_SECRET_KEY"
BUILDS = "PLATFORM_BUILDS_SECRET_KEY"
BUILDS_READER = "PLATFORM_BUILDS_READER_SECRET_KEY"
UPLOADS = "PLATFORM_UPLOADS_SECRET_KEY"
LOAD_KEY = "SLIPWAY_LOAD_KEY"


NAMES = (DATABASE_OWNER, DATABASE_APP, REDIS, S3_ROOT, BUILDS, BUILDS_READER, UPLOADS, LOAD_KEY)


def secret_names(stack: Stack) -> tuple[str, ...]:
    """Entries of the secret store that `up` makes for the stack's own services."""
    return (*NAMES, PREVIEWS_KEY) if stack.previews else NAMES
