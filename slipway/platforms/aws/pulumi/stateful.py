"""Which resources hold what cannot be made again, and what is lost with each. The one table of them."""

from __future__ import annotations

STATEFUL: dict[str, str] = {
    "aws:rds/instance:Instance": "the database and its automated backups",
    "aws:rds/cluster:Cluster": "the database and its automated backups",
    "aws:elasticache/replicationGroup:ReplicationGroup": "queued jobs, sessions and rate limits in Redis",
    "aws:elasticache/serverlessCache:ServerlessCache": "queued jobs, sessions and rate limits in Redis",
    "aws:s3/bucket:Bucket": "every object in the bucket, with its versions",
    "aws:s3/bucketV2:BucketV2": "every object in the bucket, with its versions",
    "aws:kms/key:Key": "all that is encrypted with the key",
    "aws:secretsmanager/secret:Secret": "the values of the secret",
    "aws:dynamodb/table:Table": "every item in the table",
    "aws:efs/fileSystem:FileSystem": "every file",
    "aws:ebs/volume:Volume": "every file",
    "aws:route53/zone:Zone": "the domain's records and its name servers",
    "cloudflare:index/zone:Zone": "the domain's records, rules and name servers",
    "cloudflare:index/r2Bucket:R2Bucket": "every object in the bucket",
    "cloudflare:index/d1Database:D1Database": "the database",
    "cloudflare:index/workersKvNamespace:WorkersKvNamespace": "every value in the namespace",
    "cloudflare:index/workersScript:WorkersScript": "what the Worker's Durable Objects have stored",
    "pulumi-python:dynamic/slipway:Fleet": "the local fleet's database, Redis, files and backups",
}


def lost_with(token: str) -> str:
    """What is lost with a resource of this type; empty: nothing that cannot be made again."""
    return STATEFUL.get(token, "")
