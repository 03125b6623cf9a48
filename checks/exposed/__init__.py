"""What anyone on the internet can try: transport, headers, authority, limits."""
