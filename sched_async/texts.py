"""What a text may hold, wherever it comes from: a form, a command, a file of another program.

Marks and joiners belong to how people write their names, and a character that is newer than
this Python may be an emoji: both stay.  What no keyboard types and no page can show, and what
turns the text after it round, is refused by its number.
"""

import re
import unicodedata
from unicodedata import combining

# Unicode's white space that is no control character.
ODD_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
LINE_BREAK = re.compile("\r\n?|[\u2028\u2029]")
CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202d\u202e"
UNFIT = {False: re.compile(f"[\t\n\r{CONTROL}]"), True: re.compile(f"[{CONTROL}]")}
# White space, what Unicode calls default ignorable, and two blanks that pass for symbols.
UNSEEN = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*"
)
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Hebrew, Arabic and the scripts beside them, and the marks that set a direction.
TURNING = re.compile(
    "[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]"
)


class UnfitTextError(ValueError):
    """A text holds a character that cannot be kept."""

    def __init__(self, char: str) -> None:
        super().__init__(f"This contains a character that can't be used. Remove {number(char)}.")


def one_line(text: str) -> str:
    """The text with plain spaces, and none at its ends; empty when nobody could see it.

    Raises UnfitTextError.
    """
    return _checked(ODD_SPACE.sub(" ", text).strip())


def many_lines(text: str) -> str:
    r"""The text with ``\n`` for every line break; empty when nobody could see it.

    Raises UnfitTextError.
    """
    return _checked(plain_breaks(text), lines=True)


def _checked(text: str, *, lines: bool = False) -> str:
    for char in unfit(text, lines=lines):
        raise UnfitTextError(char)
    return "" if UNSEEN.fullmatch(text) else text


def unfit(text: str, *, lines: bool = False) -> list[str]:
    """Each character that cannot be kept, once; with ``lines`` breaks and tabs can."""
    return sorted(set(UNFIT[lines].findall(text)))


def number(char: str) -> str:
    return f"U+{ord(char):04X}"


def plain_breaks(text: str) -> str:
    r"""A browser sends ``\r\n`` for each break, whatever was in the page."""
    return LINE_BREAK.sub("\n", text)


def isolated(text: str) -> str:
    """The text so that it leaves the order of what stands around it alone (Unicode's UAX 9)."""
    if not TURNING.search(text):
        return text
    return f"\u2068{DIRECTIONS.sub('', text)}\u2069"


def searchable(text: str) -> str:
    """The text as a search compares it: without capitals, marks, and forms of one letter."""
    if text.isascii():
        return text.lower()
    return "".join(
        char for char in unicodedata.normalize("NFKD", text.casefold()) if not combining(char)
    )
