"""The operator's side of platform aws."""
