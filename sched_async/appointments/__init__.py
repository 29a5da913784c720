"""A person's appointments: the pages that show them, and the rules they keep."""
