"""The record of a stack's releases, and the lease that lets one command at a time change the stack.

Both are objects in the stack's builds bucket, kept honest by conditional writes.
"""

from slipway.ledger.bucket import Bucket, BucketError, Conflict

__all__ = ["Bucket", "BucketError", "Conflict"]
