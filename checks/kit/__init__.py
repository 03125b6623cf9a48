"""What checks are made with: the mark, the verdicts, the live stack, the reports."""
