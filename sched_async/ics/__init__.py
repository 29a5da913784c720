"""iCalendar, RFC 5545: its texts, times, rules and files; pure.

Nothing here imports the web or the database, so that the process that reads foreign files
starts without them.
"""
