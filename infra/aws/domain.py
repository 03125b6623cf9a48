"""The site's domain: its certificate in ACM, validated by DNS, and its records in Route 53."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.mail import DnsRecord


@dataclass(frozen=True)
class CertificateArgs:
    """The domain, and where its validation record is made."""

    domain: str
    given_arn: str
    """ARN of a certificate of your own; empty: one is requested."""
    hosted_zone: str
    """Route 53 zone for the validation record; empty: the record is made elsewhere (`validation`)."""
    names_below: bool = False
    """Also for `*.domain`, which the record of the domain itself validates."""


class Proof(NamedTuple):
    """The DNS record with which ACM validates the domain."""

    name: Output[str]
    type: Output[str]
    value: Output[str]
    priority: int | None = None


class Certificate(pulumi.ComponentResource):
    """The load balancer's certificate (ELB.2), which ACM renews as long as the validation record exists.

    `issued` is its ARN once ACM has issued it. If Cloudflare hosts the domain, `infra.cloudflare` makes the
    record and passes its name to `issued`; if no provider here does, you make it, and `pulumi up` waits.
    """

    domain: str
    validation: Proof | None
    """None: the certificate is your own, or Route 53 has the record already."""
    requested_arn: Output[str]
    """Known before the certificate is issued; not usable until then."""

    def __init__(self, name: str, args: CertificateArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Certificate", name, None, opts)
        self._name = name
        self._child = ResourceOptions(parent=self)
        self._issued: Output[str] | None = None
        self.domain, self.validation = args.domain, None
        if args.given_arn:
            self.requested_arn = self._issued = Output.from_input(args.given_arn)
        else:
            self.requested_arn = self._ask(args)
        self.register_outputs({"arn": self.requested_arn})

    def _ask(self, args: CertificateArgs) -> Output[str]:
        certificate = aws.acm.Certificate(
            f"{self._name}-certificate",
            domain_name=args.domain,
            subject_alternative_names=[f"*.{args.domain}"] if args.names_below else None,
            validation_method="DNS",
            options=aws.acm.CertificateOptionsArgs(certificate_transparency_logging_preference="ENABLED"),
            opts=self._child,
        )
        option = certificate.domain_validation_options[0]
        proof = Proof(
            name=option.resource_record_name,
            type=option.resource_record_type,
            value=option.resource_record_value,
        )
        if args.hosted_zone:
            record = aws.route53.Record(
                f"{self._name}-proof",
                zone_id=args.hosted_zone,
                name=proof.name,
                type=proof.type,
                records=[proof.value],
                ttl=300,
                # Every certificate for this domain in the account has the same record.
                allow_overwrite=True,
                opts=self._child,
            )
            self._issued = self._validated(certificate.arn, record.fqdn)
        else:
            self.validation = proof
        return certificate.arn

    def issued(self, proved_by: pulumi.Input[str] | None = None) -> Output[str]:
        """The ARN, once it is issued. `proved_by`: name of the validation record if it is made elsewhere."""
        if self._issued is None:
            self._issued = self._validated(self.requested_arn, proved_by)
        return self._issued

    def _validated(self, arn: Output[str], record: pulumi.Input[str] | None) -> Output[str]:
        return aws.acm.CertificateValidation(
            f"{self._name}-issued",
            certificate_arn=arn,
            validation_record_fqdns=[record] if record is not None else None,
            opts=self._child,
        ).certificate_arn


@dataclass(frozen=True)
class SiteNameArgs:
    """The domain, its zone and the load balancer."""

    domain: str
    hosted_zone: str
    load_balancer_dns_name: pulumi.Input[str]
    load_balancer_zone_id: pulumi.Input[str]
    names_below: bool = False
    """Also for `*.domain`."""


class SiteName(pulumi.ComponentResource):
    """Alias records for the load balancer in Route 53, for a domain that is not on Cloudflare."""

    def __init__(self, name: str, args: SiteNameArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:SiteName", name, None, opts)
        domains = {"record": args.domain, **({"below": f"*.{args.domain}"} if args.names_below else {})}
        for what, domain in domains.items():
            aws.route53.Record(
                f"{name}-{what}",
                zone_id=args.hosted_zone,
                name=domain,
                type="A",
                aliases=[
                    aws.route53.RecordAliasArgs(
                        name=args.load_balancer_dns_name,
                        zone_id=args.load_balancer_zone_id,
                        evaluate_target_health=False,
                    )
                ],
                opts=ResourceOptions(parent=self),
            )
        self.register_outputs({})


def proof_records(
    name: str, hosted_zone: str, records: Sequence[DnsRecord], opts: ResourceOptions | None = None
) -> None:
    """Make validation `records` in a Route 53 zone."""
    for number, record in enumerate(records, start=1):
        aws.route53.Record(
            f"{name}-proof-{number}",
            zone_id=hosted_zone,
            name=record.name,
            type=record.type,
            records=[
                record.value
                if record.priority is None
                else pulumi.Output.concat(str(record.priority), " ", record.value)
            ],
            ttl=300,
            opts=opts,
        )
