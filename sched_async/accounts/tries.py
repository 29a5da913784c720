"""Passwords are checked within the limits of ``security/throttle``."""

from ..database import begin
from ..errors import BusyError
from ..models import User
from ..security import throttle
from ..security.throttle import Tries
from . import devices_known
from .addresses import lookup_email
from .passwords import find_by_password


async def check_password(email: str, password: str) -> tuple[User | None, Tries]:
    """Whoever has this e-mail and password, also when deactivated; and the counted try.

    Whoever finds it right takes the try back, in the transaction that does what it was for.
    Raises TooManyAttemptsError, without hashing, and BusyError, without counting.
    """
    email = lookup_email(email)
    device = await devices_known.known_to(User.email == email)
    tries = await throttle.admit(throttle.sign_in(email, device))
    try:
        return await find_by_password(email, password), tries
    except BusyError:
        async with begin() as work:
            await throttle.take_back(work, tries)
        raise
