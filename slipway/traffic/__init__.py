"""Load tests: what a run sends, what it brought, and what it came to. `loadtests/` holds the scenarios."""
