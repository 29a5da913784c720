"""What administrators and the operator can do to accounts."""
