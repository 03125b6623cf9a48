"""The record of a stack's releases, and the lease that lets one command at a time change the stack.

Both are objects in the stack's builds bucket, kept honest by conditional writes.
"""

from slipway.ledger.bucket import Bucket, BucketError, Conflict
from slipway.ledger.head import Head
from slipway.ledger.lease import Lease, LeaseLost
from slipway.ledger.ledger import Ledger
from slipway.ledger.release import Event, Release

__all__ = ["Bucket", "BucketError", "Conflict", "Event", "Head", "Lease", "LeaseLost", "Ledger", "Release"]
