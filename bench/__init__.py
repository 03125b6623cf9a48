"""Benchmarks: what slipway's pages claim in numbers, measured by the command line as a user runs it."""
