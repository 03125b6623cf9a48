"""The Pulumi program: what exists."""

RECORDED = "SLIPWAY_RECORDED"
"""Environment variable: the program runs for its graph only, and needs nothing that must be built first."""
