"""Checks from outside: what a client on the internet can see and do."""
