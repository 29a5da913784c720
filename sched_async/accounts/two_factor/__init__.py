"""The second factor: codes of an app, recovery codes, and a sign-in that waits for one."""
