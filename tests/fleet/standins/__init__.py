"""Small apps as their ecosystems write them, each in a folder of its own; some declare as little as an app may."""
