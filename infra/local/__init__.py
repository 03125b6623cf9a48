"""The local fleet as Pulumi resources: a dynamic provider over what `slipway up` and `slipway down` do."""

from infra.local.program import program

__all__ = ["program"]
