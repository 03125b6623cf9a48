"""The stack's hosts as the operator reaches them: ssh connections that are kept, and the agent on each."""
