"""Accounts: signing in and out, passwords, making accounts."""
