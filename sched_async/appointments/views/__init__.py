"""How a calendar is looked at: by the month, the week, the day, and as an agenda."""
