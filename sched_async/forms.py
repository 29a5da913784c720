"""The base of every form, and the checks they share."""

import unicodedata
from collections.abc import Callable
from typing import Any

from quart import request
from wtforms import Field, ValidationError
from wtforms import Form as WTForm

from .database import SAFE_METHODS
from .errors import RefusedError
from .security.csrf import FIELD, SessionCSRF


class Form(WTForm):
    """Has the CSRF token, and refuses fields that it does not know."""

    class Meta:
        csrf = True
        csrf_class = SessionCSRF
        csrf_field_name = FIELD

    def __init__(self, formdata: Any = None, **given: Any) -> None:
        # A GET has an empty form; to WTForms that would be one with every box unticked.
        super().__init__(formdata or None, **given)
        self.unknown = sorted(set(formdata or ()) - set(self._fields))

    def validate_on_submit(self) -> bool:
        """Whether it was sent, and nothing is wrong with it; as in Flask-WTF."""
        return request.method not in SAFE_METHODS and self.validate()

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        return 422 if self.errors else 200

    def validate(self, extra_validators: Any = None) -> bool:
        valid = super().validate(extra_validators)
        for name in self.unknown:
            self.form_errors.append(f"This form has no field “{name[:40]}”.")
        return valid and not self.unknown

    def refuse(self, field: str | None, message: str) -> None:
        """Put a message that only the database or the view could know at its field."""
        if field is None:
            self.form_errors.append(message)
        else:
            self[field].errors = [*self[field].errors, message]

    def say_only(self, message: str) -> None:
        """One message for the whole form, and none that tells more."""
        for field in self:
            field.errors = ()
        self.form_errors = [message]


class Checked:
    """A validator of a rule that raises RefusedError; what it makes of a value is kept.

    It is asked only about what no earlier validator has refused.
    """

    def __init__(self, rule: Callable[[str], str]) -> None:
        self.rule = rule

    def __call__(self, form: Any, field: Field) -> None:
        if field.errors:
            return
        try:
            field.data = self.rule(field.data or "")
        except RefusedError as refused:
            raise ValidationError(str(refused)) from None


class PlainText:
    """Refuses control characters, which no keyboard types and no page can show.

    With ``lines`` line breaks and tabs are text.  Text in two directions needs invisible
    marks; an ``address`` has none, and with them would look like another.
    """

    def __init__(self, *, lines: bool = False, address: bool = False) -> None:
        self.allowed = "\r\n\t" if lines else ""
        self.refused = ("Cc", "Cs", "Cf") if address else ("Cc", "Cs")

    def __call__(self, form: Any, field: Field) -> None:
        unseen = (char for char in field.data or "" if unicodedata.category(char) in self.refused)
        if any(char not in self.allowed for char in unseen):
            raise ValidationError("This contains a character that can't be used.")


def stripped(text: str | None) -> str | None:
    """A WTForms filter: without white space at either end."""
    return text.strip() if text is not None else None
