"""Secrets: where a stack's values are kept, what the app's env contract demands of them, how an env is made
from them, and how they are kept out of everything that is printed."""
