"""Previews: throw-away copies of the app, a pull request each, which share the host of one stack."""
