"""The record of a stack's releases, and the lease that lets one command at a time change the stack.

Both are objects in the stack's builds bucket, kept honest by conditional writes.
"""

from slipway.storage.bucket import Bucket, BucketError, Conflict
from slipway.storage.head import Head
from slipway.storage.lease import Lease, LeaseLost
from slipway.storage.ledger import Ledger
from slipway.storage.release import Event, Release

__all__ = ["Bucket", "BucketError", "Conflict", "Event", "Head", "Lease", "LeaseLost", "Ledger", "Release"]
