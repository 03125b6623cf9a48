"""The local platform: a fleet of systemd hosts on this machine, run as Docker containers."""
