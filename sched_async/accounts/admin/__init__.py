"""What is done to an account by somebody else: an administrator or the operator."""
