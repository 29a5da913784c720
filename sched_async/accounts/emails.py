"""Email addresses in the one form in which they are stored and looked up."""

from unicodedata import normalize

from wtforms import StringField
from wtforms.validators import InputRequired, Length

from ..email_addresses import canonical
from ..errors import RefusedError
from ..forms import Checked

MAX_EMAIL = 254
# An <input type="email"> sends no address like jörg@example.org, so these are text fields.
TYPED = {"inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}


def canonical_email(text: str) -> str:
    """The address as it is kept; RefusedError when it cannot be one."""
    try:
        return canonical(text)
    except ValueError:
        raise RefusedError("This is not an email address.", "email") from None


def lookup_email(text: str) -> str:
    """The form in which an account would have this address, also when none can."""
    try:
        return canonical_email(text)
    except RefusedError:
        return normalize("NFC", text.strip().lower())


def email_field(label: str) -> StringField:
    """For an address that will be kept, or written to."""
    checks = [InputRequired(), Length(max=MAX_EMAIL), Checked(canonical_email)]
    return StringField(label, checks, render_kw=TYPED)
