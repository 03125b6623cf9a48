"""What the project itself must be for a release to be right: its contract, its files, its record."""
