"""A stack at a glance: its resources by concern as SVG, and its estimated monthly cost."""
