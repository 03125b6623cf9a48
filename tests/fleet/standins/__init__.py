"""Small apps as their ecosystems write them, each in a folder of its own; some declare next to nothing."""
