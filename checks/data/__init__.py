"""Checks of the data services: database, Redis, queue, buckets, backups."""
