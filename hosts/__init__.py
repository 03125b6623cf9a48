"""hosts: how each role's host is set up, by pyinfra."""
