"""A stack at a glance: its resources by concern as SVG, and what it costs a month."""
