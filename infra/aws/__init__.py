"""What a stack has on AWS: a file for each service, each with a component that makes it."""
