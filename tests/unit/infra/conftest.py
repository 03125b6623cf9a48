"""Imports of pulumi_cloudflare only as much as is used: the whole takes seconds and warns seventy times."""

from infra.recording.sandbox import install

install()
