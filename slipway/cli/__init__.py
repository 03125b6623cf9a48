"""The command line: one module a command, each a thin shell over the package that does the work."""

from slipway.cli.entry import main

__all__ = ["main"]
