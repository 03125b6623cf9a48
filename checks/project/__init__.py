"""Checks of the project itself: its env contract, its repository, its release record."""
