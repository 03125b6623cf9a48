"""Who may do what: roles, their IAM policies, and the policies of keys, secrets, buckets and topics."""
