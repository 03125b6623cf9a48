"""Cloudflare in front of a stack: names, strict TLS, firewall, cache, uploads and the real-time Worker."""
