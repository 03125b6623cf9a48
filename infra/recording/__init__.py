"""Runs the Pulumi program without engine, plugins, credentials or network, and returns its graph."""

from infra.recording.graph import Graph, Resource
from infra.recording.record import record

__all__ = ["Graph", "Resource", "record"]
