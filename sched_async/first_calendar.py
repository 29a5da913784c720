"""The calendar that everybody has from the start, made with every account."""

from .models import Calendar, User

NAME, COLOR = "Personal", "indigo"


def first_calendar(user: User) -> Calendar:
    """For a user who has been saved; not saved yet."""
    return Calendar(user_id=user.id, name=NAME, color=COLOR, position=1)
