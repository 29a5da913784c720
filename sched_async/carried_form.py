"""What was sent to a page that could not take it yet, carried on by the pages that come between.

Nothing is kept on the server or in a cookie: the page in between has it all in one hidden
field, and when that is done, ``send_again`` shows it once more as a form with one button and
a new token.  Passwords and codes are never carried.  Only what our own pages have sent may be:
``of_request`` is for views, which nothing reaches that another site has caused.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from quart import render_template, request

from .local_paths import is_local
from .security.csrf import FIELD

SECRET = ("password", "code")  # parts of the names of fields that hold one


@dataclass(frozen=True)
class CarriedForm:
    """A form as it was sent: where to, and its fields in their order."""

    action: str
    fields: Sequence[tuple[str, str]]

    @classmethod
    async def of_request(cls) -> "CarriedForm":
        query = request.query_string.decode("utf-8", "replace")
        sent = (await request.form).items(multi=True)
        return cls(
            action=request.path + (f"?{query}" if query else ""),
            fields=[(name, value) for name, value in sent if not _is_secret(name)],
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
        """For the hidden field of the page in between."""
        return json.dumps(asdict(self), ensure_ascii=False)

    async def send_again(self) -> str:
        """The page with one button; nobody has to type anything twice."""
        return await render_template("send_again.html", carried=self)


def _is_secret(name: str) -> bool:
    return name == FIELD or any(part in name for part in SECRET)
