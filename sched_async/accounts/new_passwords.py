"""Which passwords will do as new ones, and the fields in which they are typed.

Length counts, and not what others would try first; there are no rules about kinds of characters.
(OWASP ASVS 5.0, 6.2.)
"""

import re
import unicodedata
from functools import cache

from wtforms import Field, PasswordField
from wtforms.validators import EqualTo, InputRequired

from ..errors import RefusedError
from ..forms import Checked, Form
from .passwords import normal

MIN_LENGTH = 12
MAX_LENGTH = 1024
CONTEXT_WORDS = ("sched", "async", "appointment", "calendar")
LEFT_OVER = 8  # characters a new password needs besides what anyone could guess
COMMON = "This password is too common. Choose another."
BEGINS_COMMONLY = "This begins with a common password and adds too little. Choose another."
HINT = f"At least {MIN_LENGTH} characters. A few random words are easy to remember."


def new_password_field(label: str) -> PasswordField:
    """For a form's ``password``; the macro ``new_password`` shows it with the next one."""
    return PasswordField(label, [InputRequired()], description=HINT)


def repeated_password_field(label: str) -> PasswordField:
    """For a form's ``password_again``."""
    return PasswordField(label, [EqualTo("password", "The passwords don't match.")])


class NewPasswordForm(Form):
    """A form with a ``new_password_field``, which it checks."""

    def owner(self) -> tuple[str, str]:
        """The name and address of whose password it will be."""
        raise NotImplementedError

    def validate_password(self, field: Field) -> None:
        """WTForms calls this by its name."""
        Checked(lambda password: check_new(password, *self.owner()))(self, field)


def check_new(password: str, *known: str) -> str:
    """The password, if it will do as a new one; else RefusedError.

    ``known`` are texts an attacker would try first: the person's name and email.
    There are no rules about kinds of characters (ASVS 6.2.5).
    """
    if len(normal(password)) < MIN_LENGTH:
        raise RefusedError(f"Use at least {MIN_LENGTH} characters.", "password")
    if len(password) > MAX_LENGTH:
        raise RefusedError(f"Use at most {MAX_LENGTH} characters.", "password")
    if any(unicodedata.category(char) == "Cs" or char == "\0" for char in password):
        raise RefusedError("This contains a character that can't be used.", "password")
    plain = normal(password).casefold()
    if plain in common_passwords():
        raise RefusedError(COMMON, "password")
    if _begins_commonly(plain):
        raise RefusedError(BEGINS_COMMONLY, "password")
    if len(_without_known(plain, *known)) < LEFT_OVER:
        raise RefusedError(
            "This is too similar to your name or email, or to the name of this site.",
            "password",
        )
    return password


def _begins_commonly(plain: str) -> bool:
    """Whether it begins with a common password and adds little."""
    bare = plain.rstrip("0123456789!?.*#$")
    starts = (plain[: len(plain) - added] for added in range(LEFT_OVER))
    return any(text in common_passwords() for text in (bare, *starts))


def _without_known(plain: str, *known: str) -> str:
    words = {word for text in known for word in re.split(r"\W+", text.casefold()) if len(word) > 2}
    for word in sorted(words | set(CONTEXT_WORDS), key=len, reverse=True):
        plain = plain.replace(word, "")
    return plain


@cache
def common_passwords() -> frozenset[str]:
    """The list that zxcvbn carries: some 30,000 passwords from known breaches."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
