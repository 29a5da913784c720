"""What a person signs in with, and whether it is still what it was when it was checked.

Whether there is a second factor is ``User.has_second_factor``.  A new way in, or another second
factor, is added there and here, and nowhere else.
"""

from ..models import User
from .tokens import hash_token


def ways_in(user: User) -> tuple[str, ...]:
    """All that can begin a sign-in; none where an imported account came without a password."""
    return ("password",) if user.password_hash else ()


def password_state(user: User) -> str:
    """Changes with the password alone, so that help with a second factor ends no link."""
    return hash_token(user.password_hash)


def state(user: User) -> str:
    """Changes with all that a sign-in goes by; what was begun by another is over."""
    return hash_token(f"{user.has_second_factor} {user.password_hash}")


def is_unchanged(user: User, loaded: User) -> bool:
    """Whether it may sign in, by all that was checked of the loaded one."""
    same = (state(user), user.totp_secret) == (state(loaded), loaded.totp_secret)
    return same and user.is_active
