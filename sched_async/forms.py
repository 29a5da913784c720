"""The base of every form, and the fields and checks they share."""

import json
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

from markupsafe import Markup, escape
from quart import request
from wtforms import BooleanField, Field, HiddenField, PasswordField, StringField, ValidationError
from wtforms import Form as WTForm
from wtforms.validators import Regexp, StopValidation
from wtforms.widgets import Input, TextArea
from wtforms.widgets.core import clean_key  # type: ignore[attr-defined]

from .carried_form import holds_secret
from .database import SAFE_METHODS
from .errors import RefusedError
from .request_scope import storage
from .security.csrf import FIELD, SessionCSRF
from .texts import many_lines, one_line, plain_breaks

YES = frozenset(("y", "yes", "t", "true", "on", "1"))
NO = frozenset(("", "n", "no", "f", "false", "off", "0", "none", "null"))


def html_attributes(**given: Any) -> Markup:
    """What WTForms would write, which takes a quarter of the time of a page with a form."""
    written = []
    for name, value in sorted(given.items()):
        if value is True:
            written.append(clean_key(name))
        elif value is not False:
            written.append(f'{clean_key(name)}="{escape(value)}"')
    return Markup(" ".join(written))  # noqa: S704 (the values are escaped, the names are ours)


Input.html_params = staticmethod(html_attributes)  # type: ignore[method-assign]


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
        storage()["may_be_kept"] = not any(_is_secret(field) for field in self)
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


class OnceForm(Form):
    """Makes something, once: the key in a blank one, and its contents, name what was sent."""

    submission = HiddenField(validators=[Regexp(r"[A-Za-z0-9_-]{0,64}\Z")])

    def __init__(self, formdata: Any = None, **given: Any) -> None:
        super().__init__(formdata, **given)
        if not formdata:
            self.submission.data = token_urlsafe(16)

    def fingerprint(self) -> str | None:
        """The same for the same form sent again unless something in it was changed."""
        if not self.submission.data:
            return None
        contents = {name: str(value or "") for name, value in self.data.items()}
        for name in (FIELD, "revision"):  # which a new session changes
            contents.pop(name, None)
        return sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def _is_secret(field: Field) -> bool:
    return isinstance(field, PasswordField | SecretField) or holds_secret(field.name)


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


class LineField(StringField):
    """One line of text, as ``texts`` has it.

    What is sent back as the row has it is not judged again: it may have come there by another
    way than this form, and must not keep anybody from changing the rest.
    """

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist:
            self.data = self.object_data
            if plain_breaks(valuelist[0]) != plain_breaks(self.object_data or ""):
                self.data = valuelist[0]  # shown again, should the next line refuse it
                self.data = self.read(valuelist[0])

    def pre_validate(self, form: Any) -> None:
        if self.object_data and self.data == self.object_data:
            raise StopValidation

    def read(self, typed: str) -> str:
        return one_line(typed)


class TextField(LineField):
    """Text of several lines."""

    widget = TextArea()

    def read(self, typed: str) -> str:
        return many_lines(typed)


class CheckboxField(BooleanField):
    """Ticked or not, in all the ways in which browsers and scripts say so."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        said = {str(value).strip().lower() for value in valuelist} or {""}
        self.data = said <= YES
        if not (said <= YES or said <= NO):
            raise ValueError("This is neither yes nor no.")


class SecretField(HiddenField):
    """Holds what nobody else may read, as the token of a link."""


class PlainText:
    """Refuses control characters, which no keyboard types and no page can show.

    Text in two directions needs invisible marks; an ``address`` has none, and with them
    would look like another.
    """

    def __init__(self, *, address: bool = False) -> None:
        self.refused = ("Cc", "Cs", "Cf") if address else ("Cc", "Cs")

    def __call__(self, form: Any, field: Field) -> None:
        if any(unicodedata.category(char) in self.refused for char in field.data or ""):
            raise ValidationError("This contains a character that can't be used.")


def stripped(text: str | None) -> str | None:
    """A WTForms filter: without white space at either end."""
    return text.strip() if text is not None else None
