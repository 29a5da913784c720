"""Every table: its columns, its constraints, and whose rows may be seen.

Values are plain and no method awaits.  Rows are numbered, and no number is ever used twice:
it stands in addresses and forms that someone may still have open long after the row is gone.
"""

from .accounts import (
    Activity,
    Attempt,
    KnownBrowser,
    LoginSession,
    OneTimeToken,
    OutgoingMail,
    RecoveryCode,
    User,
)
from .base import Base, UtcSeconds
from .calendars import Act, Appointment, Calendar, Change, Occurrence, Zone
from .feeds import Feed
from .followed import Followed
from .reminders import Reminder
from .uploads import Upload

__all__ = [
    "Act",
    "Activity",
    "Appointment",
    "Attempt",
    "Base",
    "Calendar",
    "Change",
    "Feed",
    "Followed",
    "KnownBrowser",
    "LoginSession",
    "Occurrence",
    "OneTimeToken",
    "OutgoingMail",
    "RecoveryCode",
    "Reminder",
    "Upload",
    "User",
    "UtcSeconds",
    "Zone",
]
