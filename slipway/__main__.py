"""Run the command line: `python -m slipway`."""

from slipway.cli.entry import main

main()
