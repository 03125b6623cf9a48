"""Load tests: users of the app, how they arrive, and what the site must show under them."""
