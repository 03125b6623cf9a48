"""The stack's builds bucket and what slipway keeps in it: the ledger of releases, and the lease.

One command at a time changes a stack: it holds the lease. Conditional writes keep both objects consistent.
"""
