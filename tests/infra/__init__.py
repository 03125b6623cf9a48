"""Tests of the infrastructure before it exists: the recorded program, its policy rules, and an emulator."""
