"""What the services that keep things promise: database, Redis, buckets, backups."""
