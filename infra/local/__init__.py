"""The local fleet as a Pulumi resource: a dynamic provider that runs `slipway up` and `slipway down`."""
