"""Domain exceptions: raised where something is known, carrying facts.

``error_pages`` makes HTTP of them.
"""

from datetime import timedelta
from math import ceil

from .plurals import counted


class StartupError(Exception):
    """The application cannot start; the message is one line for its operator."""


class RefusedError(Exception):
    """What was asked for is not possible; ``field`` names the form field at fault."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class BusyError(Exception):
    """Too much of the same work is waiting; trying again soon is worth it."""


class TooManyAttemptsError(Exception):
    """Try again once ``wait`` has passed."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"try again in {wait}")
        self.wait = wait

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self._seconds)}

    @property
    def advice(self) -> str:
        return f"Wait {self._shown} and try again."

    @property
    def sentence(self) -> str:
        return f"Too many attempts. {self.advice}"

    @property
    def _shown(self) -> str:
        if self._seconds == 1:
            return "1 second"
        return counted(ceil(self._seconds / 60), "minute")

    @property
    def _seconds(self) -> int:
        return max(1, ceil(self.wait.total_seconds()))
