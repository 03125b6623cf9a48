"""Platforms: where a stack's hosts live, behind one interface."""
