"""Web, mail and telephone addresses in a text become links; nothing else does.

An address begins with ``http://``, ``https://``, ``mailto:`` or ``tel:``; a host alone stays text.
"""

import re
from urllib.parse import urlsplit

from markupsafe import Markup, escape

# What ends an address: white space and control characters, what a URL cannot hold, quotation
# marks, the punctuation of Chinese and Japanese, and marks that nobody can see.
END = (
    r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f<>\"\\^`{|}\xab\xbb\u2018-\u201f\u2039\u203a"
    r"\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    r"\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
)
ADDRESS = re.compile(
    rf"(?<![A-Za-z0-9])(?:https?://[^{END}]+|mailto:[^{END}]+|tel:\+?[0-9][0-9().-]*)",
    re.ASCII | re.IGNORECASE,
)
MAILBOX = re.compile(r"mailto:[^@?]+@[^@?]*\w(?:\?.*)?", re.IGNORECASE)
AFTER = ".,;:!?…'*&"  # belongs to the sentence rather than to the address before it
BRACKETS = {")": "(", "]": "["}
# Its own direction, so that what stands before it cannot make it look like another address.
LINK = Markup('<a href="{0}" dir="ltr" rel="noopener noreferrer nofollow">{0}</a>')


def host_of(address: str) -> str:
    """What may be shown of it, and logged: the rest can be a secret."""
    return urlsplit(address).hostname or ""


def linked(text: str) -> Markup:
    """The text, escaped, with links."""
    parts, done = [], 0
    for found in ADDRESS.finditer(text):
        address = _without_punctuation(found[0])
        if _leads_somewhere(address):
            parts += [escape(text[done : found.start()]), LINK.format(address)]
            done = found.start() + len(address)
    return Markup("").join([*parts, escape(text[done:])])


def _without_punctuation(address: str) -> str:
    """A bracket stays where the address itself has opened it."""
    stray = {shut: address.count(shut) - address.count(opened) for shut, opened in BRACKETS.items()}
    end = len(address)
    while (last := address[end - 1]) in AFTER or stray.get(last, 0) > 0:
        stray[last] = stray.get(last, 0) - 1
        end -= 1
    return address[:end]


def _leads_somewhere(address: str) -> bool:
    """Not where a name before the host would pass for the host itself."""
    scheme = address.partition(":")[0].lower()
    if scheme == "mailto":
        return MAILBOX.fullmatch(address) is not None
    if scheme == "tel":
        return True
    try:
        parts = urlsplit(address)
        has_host = re.search(r"\w", parts.hostname or "") and (parts.port or 0) >= 0
    except ValueError:
        return False
    return bool(has_host) and "@" not in parts.netloc
