"""The URNs that stacks have."""
