"""slipway: the release pipeline and its command line."""
