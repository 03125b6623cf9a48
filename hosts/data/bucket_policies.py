"""What each S3 account may do, as bucket policies, and which pages browsers may upload from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hosts.plan import BUILDS_READER, BUILDS_WRITER, UPLOADS, FleetPlan

READ = ("s3:GetObject", "s3:GetObjectAttributes")
LIST = ("s3:ListBucket", "s3:GetBucketLocation")
WRITE = (
    *("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
    *("s3:ListMultipartUploadParts",),
)
LIST_UPLOADS = ("s3:ListBucketMultipartUploads",)


def buckets(plan: FleetPlan) -> list[dict[str, Any]]:
    """Every bucket: {name, policy, cors}. cors is the one origin browsers may come from, or None."""
    builds, uploads = plan.outputs.builds, plan.outputs.uploads
    writer = builds.access_key or BUILDS_WRITER
    reader = builds.reader_access_key or BUILDS_READER
    statements = [
        *_may(builds.bucket, writer, READ + WRITE, LIST + LIST_UPLOADS),
        *_may(builds.bucket, reader, READ, LIST),
    ]
    found = [{"name": builds.bucket, "policy": _policy(statements), "cors": None}]
    if uploads:
        account = uploads.access_key or UPLOADS
        found.append(bucket_of(uploads.bucket, account, plan.outputs.url))
    return found


def bucket_of(name: str, account: str, url: str) -> dict[str, Any]:
    """A bucket that `account` may read and write, and browsers on the pages of `url`."""
    policy = _policy(_may(name, account, READ + WRITE, LIST + LIST_UPLOADS))
    return {"name": name, "policy": policy, "cors": origin(url)}


def origin(url: str) -> str:
    """Scheme, host and port of a URL, as browsers send them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _may(bucket: str, account: str, on_objects: tuple[str, ...], on_bucket: tuple[str, ...]) -> list[Any]:
    principal = {"AWS": [account]}
    return [
        {
            "Effect": "Allow",
            "Principal": principal,
            "Action": list(on_objects),
            "Resource": [f"arn:aws:s3:::{bucket}/*"],
        },
        {
            "Effect": "Allow",
            "Principal": principal,
            "Action": list(on_bucket),
            "Resource": [f"arn:aws:s3:::{bucket}"],
        },
    ]


def _policy(statements: list[Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}
