"""Faults on real hosts: a table of fault and moment, each cell struck while users load the site."""
