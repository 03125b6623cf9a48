"""Attacks: each vulnerability that was found once, by name, and suites that generate its kind."""
