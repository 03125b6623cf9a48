"""A cloud around the local fleet: new hosts that set themselves up, and the services they talk to.

S3, STS and Secrets Manager are moto's server, the metadata service is a small stand-in, and instances are
plain Debian machines in the fleet's own network. In the place of Systems Manager, ssh goes through
`docker exec` to loopback, which is where the real one comes out too. Database, Redis and uploads stay the
local fleet's.
"""

import json
import platform
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from hosts.aws import SSM_VERSION
from hosts.kit import archive
from hosts.kit.archive import PYTHON_INDEX, kit_digest, kit_objects, pointer_key, python_objects
from hosts.kit.python_packages import build, packages_digest
from hosts.kit.user_data import bake_user_data, user_data
from hosts.plan import FleetPlan, LoadBalancer
from slipway.fleet.ssh_config import control_folder
from slipway.platforms.local.containers import SYSTEMD
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.platform import LocalPlatform
from slipway.platforms.local.up import fleet_plan
from slipway.platforms.platform import Opened
from slipway.release import preflight
from slipway.secrets.signing import Signing, signers
from slipway.settings import Cloud, Host, Outputs, Project, Role
from slipway.settings.aws import Aws
from slipway.settings.aws_names import AwsNames
from slipway.stack import LiveStack
from slipway.storage.bucket import Bucket
from tests.debian import DEBIAN
from tests.fleet.instance import Instance
from tests.fleet.instance_connect import DOMAIN, Signer
from tests.fleet.metadata import Metadata
from tests.fleet.servers import plain_server
from tests.fleet.session_agent import session_agent, signing_key

REGION, ACCOUNT = "us-east-1", "123456789012"
ROLES: tuple[Role, ...] = ("web", "worker")
PYTHON = f"{platform.machine()}-{DEBIAN.python}"
BOOT_SECONDS = 240
"""Packages come from a mirror."""
_TRUST = "/usr/local/share/ca-certificates/instance-connect.crt"
_HOST_KEYS = """\
ssh-keygen -q -A
for _ in $(seq 100); do systemctl restart ssh 2>/dev/null && exit 0; sleep 0.2; done; exit 1
"""


@dataclass
class AroundFleet:
    """The cloud of one project."""

    project: Project
    url: str
    gateway: str
    subnet: IPv4Network
    signer: Signer
    folder: Path
    boot_secrets: dict[Role, str] = field(default_factory=dict[Role, str])
    instances: list[Instance] = field(default_factory=list[Instance])
    known: list[Instance] = field(default_factory=list[Instance])
    """Those that discovery finds: in their group, with a published key."""
    made: dict[Role, int] = field(default_factory=dict[Role, int])
    """When the newest kit of each role was made."""
    previews: bool = False
    """Do web hosts carry previews?"""

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "operator", "aws_secret_access_key": "operator"}
        path = Config(s3={"addressing_style": "path"})
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, config=path, **keys)  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportArgumentType, reportUnknownVariableType]

    # what the operator's side sees

    def outputs(self) -> Outputs:
        """The local fleet's own, and the instances of this moment."""
        local = self.local
        hosts = [*local.hosts, *(self._host(instance) for instance in self.known if self._runs(instance))]
        config = self.folder / "ssh_config"
        entries = "".join(
            f"Host {instance.name}\n  User admin\n  HostKeyAlias {instance.name}\n"
            f"  IdentityFile {self.operator}\n  ProxyCommand {self._way_to(instance)}\n"
            for instance in self.known
        )
        pinned = "".join(f"{host.name} {host.host_key}\n" for host in hosts)
        known_hosts = self.folder / "known_hosts"
        known_hosts.write_text(local.ssh_config_path.with_name("known_hosts").read_text() + pinned)
        text = local.ssh_config_path.read_text()
        own = {"UserKnownHostsFile": known_hosts, "ControlPath": f"{control_folder(config)}/%n"}
        for name, path in own.items():
            text = re.sub(rf"{name} .*", f'{name} "{path}"', text)
        config.write_text(entries + text)
        return local.model_copy(update={"hosts": hosts, "ssh_config": str(config)})

    @property
    def local(self) -> Outputs:
        return Outputs.model_validate_json((self.project.state_dir / "outputs.json").read_bytes())

    @property
    def operator(self) -> Path:
        return self.folder / "operator"

    def keep(self, documents: Mapping[Role, str]) -> None:
        for role, text in documents.items():
            self.client("secretsmanager").put_secret_value(
                SecretId=self.boot_secrets[role], SecretString=text
            )

    @property
    def names(self) -> AwsNames:
        return AwsNames(self.project.stack, ACCOUNT, REGION)

    @property
    def bucket(self) -> str:
        return self.local.builds.bucket

    @property
    def app_role(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{self.names.fleet}-app"

    def plan(self) -> FleetPlan:
        """What a stack on AWS would be set up for, with the local fleet's services."""
        opened = LiveStack(self.project)
        plan = fleet_plan(self.project, self.local, opened.secrets)
        cloud = Cloud(
            region=REGION, account=ACCOUNT, groups={}, boot_secrets=self.boot_secrets, key="",
            target_group="", app_role=self.app_role if self.previews else "",
        )  # fmt: skip
        builds = self.local.builds.model_copy(
            update={"reader_access_key": None, "reader_secret_key_secret": None, "endpoint": None}
        )
        outputs = self.local.model_copy(
            update={"platform": "aws", "cloud": cloud, "builds": builds, "hosts": []}
        )
        aws = Aws.model_validate({"account": ACCOUNT, "network": {"cidr": str(self.subnet)}})
        given = {"platform": "aws", "aws": aws, "previews": self.previews}
        stack = self.project.stack.model_copy(update=given)
        return replace(
            plan,
            outputs=outputs,
            stack=stack,
            edge_names=(),
            ssh_access="loopback",
            load_balancer=LoadBalancer(aws.network.cidr, aws.load_balancer.idle_seconds),
            hosts_come_and_go=True,
        )

    # what the platform does

    def publish_kit(self, role: Role) -> None:
        python = json.loads(self.client("s3").get_object(Bucket=self.bucket, Key=PYTHON_INDEX)["Body"].read())
        self.made[role] = time.time_ns() // 1_000_000
        sign = Signing(self.project).sign
        for key, content in kit_objects(self.plan(), role, python["archives"], self.made[role], sign).items():
            self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
        trusted = json.dumps({"signers": signers(self.project), "oldest": self.made})
        self.client("ssm").put_parameter(
            Name=self.names.setup_parameter, Value=trusted, Type="String", Overwrite=True
        )

    def publish_python_packages(self) -> None:
        packages, sign = {PYTHON: build(PYTHON)}, Signing(self.project).sign
        for key, content in python_objects(self.names.fleet, packages, packages_digest(), sign).items():
            self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    def mirror(self, bucket: Bucket) -> None:
        """Copy the layers that only the local fleet's S3 server has."""
        have = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix="layers/").get("Contents", [])
        for key in set(bucket.list("layers/")) - {each["Key"] for each in have}:
            file = self.folder / "layer"
            bucket.get_file(key, file)
            self.client("s3").upload_file(str(file), self.bucket, key)

    def start(self, role: Role, number: int, image: str = "") -> Instance:
        """A machine as EC2 starts it: bare, or with the disk of `image`; nobody has been on it."""
        id_, address = f"i-{number:017x}", str(self.subnet[200 + number])
        role_name = self.names.group(role)
        assumed = self.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role_name}", RoleSessionName=id_
        )
        given = assumed["Credentials"]
        credentials = {
            "AccessKeyId": given["AccessKeyId"],
            "SecretAccessKey": given["SecretAccessKey"],
            "Token": given["SessionToken"],
            "Expiration": given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        signed = "meta-data/managed-ssh-keys"
        metadata = Metadata(
            self.gateway,
            credentials,
            {
                "meta-data/instance-id": id_,
                "meta-data/local-ipv4": address,
                "meta-data/placement/region": REGION,
                "meta-data/services/domain": DOMAIN,
                f"{signed}/signer-cert/": self.signer.chain,
                f"{signed}/signer-ocsp/{self.signer.mark}": self.signer.staple,
            },
        )
        package = f"/ssm/{SSM_VERSION}/debian_amd64/amazon-ssm-agent.deb"
        metadata.files[package], metadata.files[f"{package}.sig"] = session_agent(self.folder)
        container = f"{self.project.fleet_id}-joined{number}"
        docker = Docker()
        docker.run("rm", "--force", "--volumes", container, check=False)
        docker.run(
            *("create", "--name", container, "--hostname", id_, *SYSTEMD, "--restart", "no"),
            *("--network", self.project.fleet_id, "--ip", address, image or plain_server(docker)),
        )
        docker.run("start", container)
        # As cloud-init does before it comes to user data.
        docker.execute(container, _HOST_KEYS)
        user_id = assumed["AssumedRoleUser"]["AssumedRoleId"]
        made = Instance(id_, role, address, container, user_id, metadata)
        self.instances.append(made)
        self._let_in(made)
        return made

    def boot(self, instance: Instance, *, tries: bool = True) -> str:
        """Run the user data as cloud-init does: the text itself, as root. Returns what it said.

        `tries`: patiently, as it is; else once.
        """
        text = user_data(self.names, instance.role, REGION, self.bucket, self._endpoints(instance))
        if not tries:
            text = text.replace("\nPATIENCE =", "\nPATIENCE = 0 *")
        done = _run_user_data(instance, text)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def bake(self, instance: Instance) -> dict[str, Any]:
        """Have a machine without a role become what an image is made of, until it is off. What it said."""
        s3 = self.client("s3")

        def read(key: str) -> dict[str, Any]:
            return json.loads(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

        def url(operation: str, key: str) -> str:
            return s3.generate_presigned_url(operation, Params={"Bucket": self.bucket, "Key": key})

        for each in [text for text in instance.metadata.texts if "security-credentials" in text]:
            del instance.metadata.texts[each]
        pointer, index = read(pointer_key(instance.role)), read(PYTHON_INDEX)
        kit = {"url": url("get_object", pointer["key"]), "sha256": pointer["sha256"]}
        python = {
            target: {"url": url("get_object", each["key"]), "sha256": each["sha256"]}
            for target, each in index["archives"].items()
        }
        text = bake_user_data(
            self.names, instance.role, kit, python, url("put_object", "bakes/x.json"),
            self._endpoints(instance),
        )  # fmt: skip
        done = _run_user_data(instance, text)
        ends = time.monotonic() + 60
        while self._runs(instance):
            assert time.monotonic() < ends, done.stdout + done.stderr
            time.sleep(0.2)
        return read("bakes/x.json")

    def _endpoints(self, instance: Instance) -> dict[str, str]:
        own = instance.metadata.url
        endpoints = {"imds": own, "ssm": f"{own}/ssm", "s3": self.url, "sts": self.url}
        return endpoints | dict.fromkeys(("logs", "parameters", "secretsmanager"), self.url)

    def send_key(self, instance: Instance) -> None:
        """EC2 Instance Connect lets the operator in for a minute."""
        public = self.operator.with_name("operator.pub").read_text()
        instance.metadata.texts["meta-data/managed-ssh-keys/active-keys/admin/"] = self.signer.vouch(
            " ".join(public.split()[:2]), instance.id
        )

    def _host(self, instance: Instance) -> Host:
        self.send_key(instance)
        found = self.client("s3").get_object(Bucket=self.bucket, Key=f"hosts/{instance.user_id}")
        key = found["Body"].read().decode().strip()
        return Host(
            name=instance.name, roles=(instance.role,), address=instance.address, ssh_host=instance.id,
            ssh_user="admin", host_key=key,
        )  # fmt: skip

    def _runs(self, instance: Instance) -> bool:
        asked = Docker().text("inspect", "--format", "{{.State.Running}}", instance.container)
        return asked.strip() == "true"

    def _way_to(self, instance: Instance) -> str:
        relay = "exec 3<>/dev/tcp/127.0.0.1/22; cat <&3 & cat >&3; kill $!"
        return f"docker exec -i {instance.container} bash -c '{relay}'"

    def _let_in(self, instance: Instance) -> None:
        """The data host's firewall knows the local fleet only; on AWS that is the security group's work."""
        argv = f"nft insert rule inet slipway input ip saddr {instance.address} accept"
        Docker().execute(f"{self.project.fleet_id}-data1", argv)
        root = self.signer.chain.split("-----END CERTIFICATE-----\n", 1)[1]
        subprocess.run(
            ["docker", "exec", "-i", instance.container, "sh", "-c",
             f"mkdir -p $(dirname {_TRUST}) && cat > {_TRUST}"],
            input=root, text=True, check=True,
        )  # fmt: skip


def _run_user_data(instance: Instance, text: str) -> subprocess.CompletedProcess[str]:
    """As cloud-init does: the text itself, as root."""
    into = "mkdir -p /var/lib/cloud && cat > /var/lib/cloud/user-data && chmod 700 /var/lib/cloud/user-data"
    argv = ["docker", "exec", "-i", instance.container, "sh", "-c"]
    subprocess.run([*argv, into], input=text, text=True, check=True)
    return subprocess.run(
        [*argv, f"timeout {BOOT_SECONDS} /var/lib/cloud/user-data"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


@contextmanager
def opened_around(project: Project) -> Generator[AroundFleet]:
    """The same, with the local platform opened as one where hosts come and go."""
    with around(project) as made, pytest.MonkeyPatch.context() as patch:
        digests = preflight.setup_digests

        def opened(_: LocalPlatform) -> Opened:
            return Opened(made.outputs())

        def rediscovered(_: LocalPlatform, outputs: Outputs) -> Opened:
            del outputs
            return Opened(made.outputs())

        def keep(_: LocalPlatform, outputs: Outputs, documents: Mapping[Role, str], _order: object) -> None:
            del outputs
            made.keep(documents)

        def expected(project: Any, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
            plan = made.plan()
            own = {each.name: kit_digest(plan, each.role) for each in made.instances}
            return digests(project, made.local, secrets) | own

        patch.setattr(LocalPlatform, "hosts_come_and_go", True)
        patch.setattr(LocalPlatform, "open", opened)
        patch.setattr(LocalPlatform, "rediscover", rediscovered)
        patch.setattr(LocalPlatform, "write_boot_documents", keep)
        patch.setattr(preflight, "setup_digests", expected)
        yield made


@contextmanager
def around(project: Project, *, previews: bool = False) -> Generator[AroundFleet]:
    """Start the services; at the end the instances are gone."""
    network = Docker().inspect("network", project.fleet_id)[0]["IPAM"]["Config"][0]
    gateway = str(network.get("Gateway") or IPv4Network(network["Subnet"])[1])
    server = ThreadedMotoServer(ip_address=gateway, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What an earlier one of this process made is kept beside the server.
    reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    with (
        tempfile.TemporaryDirectory(prefix="slipway-cloud-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Kits have the key of the tests' package in place of AWS's.
        keys, sources = signing_key(Path(folder)).encode(), archive._sources  # pyright: ignore[reportPrivateUsage]
        patch.setattr(archive, "_sources", lambda: sources() | {"templates/aws/ssm_agent_keys.asc": keys})
        cloud = AroundFleet(
            project,
            f"http://{host}:{port}",
            gateway,
            IPv4Network(network["Subnet"]),
            Signer(REGION),
            Path(folder),
            previews=previews,
        )
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cloud.operator], check=True)
        try:
            cloud.client("s3").create_bucket(Bucket=cloud.bucket)
            for role in ROLES:
                # Known roles have one unique id, as on AWS; moto gives an unknown one another each time.
                cloud.client("iam").create_role(
                    RoleName=cloud.names.group(role), AssumeRolePolicyDocument="{}"
                )
                made = cloud.client("secretsmanager").create_secret(Name=cloud.names.boot_secret(role))
                cloud.boot_secrets[role] = made["ARN"]
                cloud.client("logs").create_log_group(logGroupName=cloud.names.log_group(role))
            cloud.publish_python_packages()
            for role in ROLES:
                cloud.publish_kit(role)
            yield cloud
        finally:
            for instance in cloud.instances:
                Docker().run("rm", "--force", "--volumes", instance.container, check=False)
                instance.metadata.close()
            server.stop()
