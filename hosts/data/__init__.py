"""The data host: PostgreSQL behind PgBouncer, Redis, S3, and the backups of the database."""
