"""Every check, seen red on a fleet that breaks its promise by the very check that should tell, and green again."""
