"""A mail's subject, text and HTML, all from one template in ``templates/mail/``.

Its first line is the subject; the paragraphs below it are the text.  The HTML has the same
paragraphs, in which a line that is only a link becomes a button, labelled by the line above.
"""

import re
from dataclasses import dataclass

from quart import current_app, render_template

from .config import PublicUrl

LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Parts:
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Paragraph:
    """``link`` is where a button leads, "" for a paragraph that is none."""

    text: str
    link: str = ""

    @classmethod
    def of(cls, text: str) -> "Paragraph":
        label, _, last = text.rpartition("\n")
        return cls(label.rstrip(":"), last) if label and LINK.fullmatch(last) else cls(text)


async def render(template: str, **context: object) -> Parts:
    """Fill in templates/mail/<template>.txt, which also gets ``public_url`` and ``site``, its host.

    Raises ValueError for a value with a line break, which could pass for a part of its own.
    """
    if not all(str(value).isprintable() for value in context.values()):
        raise ValueError("a value in a mail must be printable")
    public_url: PublicUrl = current_app.config["PUBLIC_URL"]
    everywhere = {"public_url": str(public_url), "site": public_url.netloc}
    written = await render_template(f"mail/{template}.txt", **everywhere, **context)
    subject, *texts = re.split(r"\n{2,}", written.strip("\n"))
    footer = await render_template("mail/footer.txt", **everywhere)
    page = {"subject": subject, "paragraphs": [Paragraph.of(text) for text in texts]}
    html = await render_template("mail/layout.html", **page, **everywhere)
    return Parts(subject, "\n\n".join([*texts, f"-- \n{footer}"]), html)
