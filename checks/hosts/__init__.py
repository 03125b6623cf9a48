"""Checks on every host: access, processes, listening ports, secrets, the system."""
