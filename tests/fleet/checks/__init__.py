"""Each check must fail on a fleet that breaks its promise, and pass again afterwards."""
