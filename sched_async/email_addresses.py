"""What an email address is, when two are the same, and how mail servers are told one.

Forms, commands, settings and the import all ask here.  An address needs no public domain:
this may be a household's own server.  The same are two that differ in capitals, in how an accent
is composed, or in whether a domain is written in its own script or in ASCII.
"""

import email_validator
from email_validator import EmailNotValidError, ValidatedEmail, validate_email

# All others of the list are somebody's: home.arpa, local and localhost are a household's names.
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = ["invalid"]


def canonical(text: str) -> str:
    """The one form in which the same addresses are equal; ValueError when it cannot be one."""
    lowered = _parsed(text).normalized.lower()
    return lowered if lowered.isascii() else _parsed(lowered).normalized


def for_mail(text: str) -> str:
    """With the domain in ASCII, which every server takes; ValueError as above."""
    parsed = _parsed(text)
    return parsed.ascii_email or f"{parsed.local_part}@{parsed.ascii_domain}"


def _parsed(text: str) -> ValidatedEmail:
    try:
        return validate_email(
            text.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            allow_domain_literal=True,
        )
    except EmailNotValidError:  # whose message would repeat the address
        raise ValueError("this is not an email address") from None
