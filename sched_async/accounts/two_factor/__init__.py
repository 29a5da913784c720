"""Two-factor authentication: codes from an app, recovery codes, and a sign-in waiting for one."""
