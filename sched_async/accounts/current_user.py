"""The user of a request, with Flask-Login's names."""

from collections.abc import Generator
from typing import Any

from quart_auth import AuthUser, Unauthorized

from ..models import LoginSession, User


class Answer:
    """A bool that can also be awaited, as Quart-Auth's own ``is_authenticated`` must be."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return self.value

    def __await__(self) -> Generator[None, None, bool]:
        yield from ()
        return self.value


class CurrentUser(AuthUser):
    """The user of this request: a ``User`` with their login session, or nobody."""

    def __init__(
        self, auth_id: str | None, user: User | None = None, login: LoginSession | None = None
    ) -> None:
        super().__init__(auth_id)
        self.user = user
        self.login = login

    @property
    def is_authenticated(self) -> Any:
        return Answer(self.user is not None)

    @property
    def is_anonymous(self) -> bool:
        return self.user is None

    @property
    def is_active(self) -> bool:
        return self.user is not None and self.user.is_active

    def get_id(self) -> str | None:
        """The user's number as text, as in Flask-Login; None for nobody."""
        return None if self.user is None else str(self.user.id)

    @property
    def user_id(self) -> int:
        return self.known().id

    @property
    def name(self) -> str:
        return self.known().name

    @property
    def email(self) -> str:
        return self.known().email

    @property
    def timezone(self) -> str:
        return self.known().timezone

    @property
    def clock_hours(self) -> int:
        """24 or 12."""
        return self.known().clock_hours

    @property
    def is_admin(self) -> bool:
        return self.user is not None and self.user.is_admin

    def known(self) -> User:
        """The user; Unauthorized for nobody, so that no query can start at no owner."""
        if self.user is None:
            raise Unauthorized
        return self.user
