"""Cloudflare in front of a stack: names, strict TLS, firewall, cache, uploads and the real-time Worker."""

EVERY_PATH = 'starts_with(http.request.uri.path, "/")'
"""Fields of rate rules by plan: https://developers.cloudflare.com/waf/rate-limiting-rules/#availability"""
