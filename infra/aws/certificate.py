"""The site's certificate: asked for, proved by DNS, and waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions


@dataclass(frozen=True)
class CertificateArgs:
    """For which name, and where it is proved."""

    domain: str
    given_arn: str
    """Of a certificate of your own; empty: one is made."""
    hosted_zone: str
    """Route 53 zone in which the proof is written; empty: somebody else writes it (`validation`)."""


class Proof(NamedTuple):
    """The DNS record by which ACM sees that the domain is ours."""

    name: Output[str]
    type: Output[str]
    value: Output[str]


class Certificate(pulumi.ComponentResource):
    """A certificate of the load balancer (ELB.2), which ACM renews as long as the proof stands.

    `issued` is its ARN once ACM has issued it. Where Cloudflare answers for the domain, its part writes
    `validation` and says so to `issued`; where nobody here does, you write it, and `pulumi up` waits.
    """

    domain: str
    validation: Proof | None
    """None: the certificate is your own, or Route 53 has the proof already."""
    requested_arn: Output[str]
    """Known at once, of use only when issued."""

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
                # A proof is the same for every certificate of this domain in the account.
                allow_overwrite=True,
                opts=self._child,
            )
            self._issued = self._validated(certificate.arn, record.fqdn)
        else:
            self.validation = proof
        return certificate.arn

    def issued(self, proved_by: pulumi.Input[str] | None = None) -> Output[str]:
        """The ARN, once it is issued. `proved_by`: name of the record that another part wrote."""
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
