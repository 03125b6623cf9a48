"""Releases and rollbacks of one app on the same hosts, by slipway and its peers, side by side in one run."""
