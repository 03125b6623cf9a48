"""What a stack has on AWS: a component for each concern."""
