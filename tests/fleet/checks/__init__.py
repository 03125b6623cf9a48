"""Every check, seen red on a fleet that breaks its promise, and green again."""
