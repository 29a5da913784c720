"""What was sent to a page that could not take it yet, carried on by the pages that come between.

The page in between has it all in one hidden field, nothing is kept in a cookie, and on the
server only while a sign-in waits for its second step.  When that is done, ``send_again`` shows
it once more as a form with one button and a new token: nothing is sent unless somebody presses
it.  Passwords and codes are never carried.  Only what our own pages have sent may be:
``of_request`` is for what is certain not to come from another site.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from urllib.parse import quote_plus

from quart import render_template, request

from .local_paths import is_local
from .security.csrf import FIELD
from .security.guard import MAX_BODY

CARRIED = "carried"  # the hidden field of the pages in between
ROOM = 16 * 1024  # bytes, for the other fields of the page in between
SECRET = ("password", "code")  # parts of the names of fields that hold one


@dataclass(frozen=True)
class CarriedForm:
    """A form as it was sent: where to, and its fields in their order."""

    action: str
    fields: Sequence[tuple[str, str]]

    @classmethod
    async def of_request(cls) -> "CarriedForm":
        """As it was sent; of a page in between, what that carries."""
        form = await request.form
        if carried := cls.parse(form.get(CARRIED, "")):
            return carried
        query = request.query_string.decode("utf-8", "replace")
        return cls(
            action=request.path + (f"?{query}" if query else ""),
            fields=[
                (name, value)
                for name, value in form.items(multi=True)
                if name != FIELD and not holds_secret(name)
            ],
        )

    @classmethod
    def parse(cls, text: str) -> "CarriedForm | None":
        """Read what ``as_text`` wrote; None for anything else."""
        try:
            found = json.loads(text)
            action, fields = found["action"], found["fields"]
            pairs = [(str(name), str(value)) for name, value in fields]
        except (ValueError, TypeError, LookupError, RecursionError):
            return None
        return cls(action, pairs) if isinstance(action, str) and is_local(action) else None

    def as_text(self) -> str:
        """For the hidden field of the page in between; nothing if it could not be sent from it."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        return text if len(quote_plus(text)) <= MAX_BODY - ROOM else ""

    async def send_again(self, happened: str) -> str:
        """The page with one button, which says first what ``happened``."""
        return await render_template("send_again.html", carried=self, happened=happened)


def holds_secret(name: str) -> bool:
    """Whether a field of this name does."""
    return any(part in name for part in SECRET)
