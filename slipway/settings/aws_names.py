"""Names of a stack's resources on AWS, made from project and stack: infra creates, slipway finds by them."""

from dataclasses import dataclass

from slipway.settings.outputs import Role
from slipway.settings.stack import Stack

HOST_ROLES: tuple[Role, ...] = ("web", "worker")
"""Roles that are EC2 hosts; edge and data are services of AWS."""


@dataclass(frozen=True)
class AwsNames:
    """The names of one stack."""

    stack: Stack
    account: str
    region: str

    @property
    def fleet(self) -> str:
        """Unique in the account: `board-prod`. Value of the tag `slipway:fleet`."""
        return self.stack.fleet_id

    @property
    def path(self) -> str:
        """Prefix of secrets and log groups: `slipway/board/prod`."""
        return f"slipway/{self.stack.project}/{self.stack.name}"

    @property
    def app_secret(self) -> str:
        """Secrets Manager: the stack's secret store, one JSON object of name to value."""
        return f"{self.path}/app"

    @property
    def database_secret(self) -> str:
        """Secrets Manager: `{username, password}` of the app's database role, for RDS Proxy."""
        return f"{self.path}/database"

    def boot_secret(self, role: str) -> str:
        """Secrets Manager: what a new host of `role` needs to start the live release."""
        return f"{self.path}/boot/{role}"

    @property
    def outputs_parameter(self) -> str:
        """SSM parameter: the stack outputs as JSON; they contain no secret value."""
        return f"/{self.path}/outputs"

    @property
    def setup_parameter(self) -> str:
        """SSM parameter: who may sign set-up kits, and when the newest of each role was made."""
        return f"/{self.path}/setup"

    def image_parameter(self, role: str, architecture: str) -> str:
        """SSM parameter: the newest image that was baked for hosts of `role`; EC2 reads it at each launch."""
        return f"/{self.path}/image/{role}/{architecture}"

    @property
    def key_alias(self) -> str:
        """KMS alias of the stack's key."""
        return f"alias/{self.path}"

    def log_group(self, what: str) -> str:
        """CloudWatch log group."""
        return f"/{self.path}/{what}"

    def bucket(self, what: str) -> str:
        """S3 bucket; with the account, because the names are global in AWS."""
        return f"{self.fleet}-{what}-{self.account}"

    def group(self, role: str) -> str:
        """Auto Scaling group of `role`."""
        return f"{self.fleet}-{role}"

    @property
    def tags(self) -> dict[str, str]:
        """Tags of every resource of the stack."""
        return {
            "slipway:project": self.stack.project,
            "slipway:stack": self.stack.name,
            "slipway:fleet": self.fleet,
        }


ROLE_TAG = "slipway:role"
FLEET_TAG = "slipway:fleet"
HOST_KEYS = "hosts"
"""Prefix in the builds bucket. A host may write `hosts/<its own aws:userid>` and nothing else there."""
SETUP_KITS = "setup"
"""Prefix in the builds bucket: what a new host sets itself up with."""
