"""The calendar by month, week, day and as an agenda."""
