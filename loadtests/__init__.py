"""Load tests: users of the app, each written as what such a user does. See docs/load-tests.md."""
