"""Who may do what: the recorded policies, judged as AWS judges them, and roles that really try."""
