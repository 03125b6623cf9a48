"""What the Pulumi program decides, without Pulumi."""
