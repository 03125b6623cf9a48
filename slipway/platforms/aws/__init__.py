"""Platform `aws`, the operator's side: a stack's hosts and the way to them, its secrets, and `slipway up`.

What exists is made by `infra/`; here it is found by its names and tags, and brought to life.
"""
