"""Addresses in a text become links, and nothing else does."""

import re
from html import unescape

from sched_async.links import linked

from .tables import each

AT = "https://example.org"


def found(text: str) -> list[str]:
    """Where each link leads, which is what it shows; around them the text is what it was."""
    markup = str(linked(text))
    plain, links = re.sub(r"</?a\b[^>]*>", "", markup), []
    for attributes, shown in re.findall(r"<a ([^>]*)>(.*?)</a>", markup):
        address = re.fullmatch(
            r'href="([^"]*)" dir="ltr" rel="noopener noreferrer nofollow"', attributes
        )
        assert address, attributes
        assert address[1] == shown
        links.append(unescape(shown))
    assert not re.search("[<>\"']", plain), "all is escaped"
    assert unescape(plain) == text
    return links


@each(
    ("text", "links"),
    [
        (f"{AT}/a?b=c&d=e#f", [f"{AT}/a?b=c&d=e#f"]),
        ("HTTP://Example.ORG/A", ["HTTP://Example.ORG/A"]),
        ("http://localhost:8000/x and http://[::1]:8000/x", None),
        ("mailto:ada@example.org?subject=Hi, tel:+49-30-(0)12.", None),
        ("https://münchen.example/straße/%20", ["https://münchen.example/straße/%20"]),
        ("https://fa.wikipedia.org/wiki/می\u200cخواهم", None),  # noqa: RUF001
        # Punctuation, brackets and quotation marks around an address are not its own.
        (f"See {AT}/a. {AT}/b, {AT}/c! {AT}/d?", [f"{AT}/{x}" for x in "abcd"]),
        (f"({AT}/a_(b)) [{AT}/c] <{AT}/d> *{AT}/e*", [f"{AT}/{x}" for x in ("a_(b)", *"cde")]),
        (f"\"{AT}/a\" '{AT}/b' “{AT}/c” «{AT}/d»", [f"{AT}/{x}" for x in "abcd"]),
        (f"会议室见{AT}/路。「{AT}/b」，（{AT}/c）", [f"{AT}/{x}" for x in "路bc"]),  # noqa: RUF001
        (f"Zoom:{AT}/a\n-{AT}/b\t{AT}/c\u00a0{AT}/d\u3000x", [f"{AT}/{x}" for x in "abcd"]),
        (AT + ")" * 10_000, [AT]),
        # What would show something else than it is.
        (f"\u202e{AT}/gpj.exe", [f"{AT}/gpj.exe"]),
        (f"{AT}/a\u202egpj.exe", [f"{AT}/a"]),
        (f"{AT}\u200b.evil.example", [AT]),
        (f"{AT}\\@evil.example {AT}。evil.example", [AT, AT]),
        (f'{AT}/"onmouseover="alert(1) {AT}/\'><script>', [f"{AT}/", f"{AT}/"]),
        (f"{AT}@evil.example {AT}:x@evil.example/ {AT}/@user", [f"{AT}/@user"]),
        # What is none of the four, or leads nowhere.
        ("javascript:alert(1) JavaScript://example.org/%0aalert(1)", []),
        ("data:text/html,x vbscript:x file:///etc/passwd ftp://example.org/ //example.org/", []),
        ("xhttp://example.org http\u017f://example.org http\u200b://example.org", []),
        ("example.org www.example.org ada@example.org +49 30 12", []),
        ("http:// https://. https:///x http://[x http://a:99999/ mailto: mailto:?to tel:*#06#", []),
        ("http:example.org https:/example.org mailto:x", []),
        ("<a href='https://example.org'>x</a> &lt;b&gt;", [AT]),
    ],
)
def test_addresses_of_four_kinds_become_links(text: str, links: list[str] | None) -> None:
    words = [word.strip(",.") for word in text.split() if word != "and"]
    assert found(text) == (words if links is None else links)
