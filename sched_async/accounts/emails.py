"""Email addresses in the one form in which they are stored and looked up."""

from email_validator import EmailNotValidError, validate_email

from ..errors import RefusedError

MAX_EMAIL = 254


def canonical_email(text: str) -> str:
    """The address in lower case; RefusedError when it cannot be one.

    Addresses without a public domain are fine: this may be a household's own server.
    """
    try:
        checked = validate_email(
            text.strip(), check_deliverability=False, globally_deliverable=False
        )
    except EmailNotValidError:
        raise RefusedError("This is not an email address.", "email") from None
    return checked.normalized.lower()


def lookup_email(text: str) -> str:
    """The form in which an account would have this address, also when none can."""
    try:
        return canonical_email(text)
    except RefusedError:
        return text.strip().lower()
