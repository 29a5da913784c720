"""Words to look for, whatever their case and accents, as parts of a folded text (``search``).

>>> words_of("  Müller  CAFÉ ")
['muller', 'cafe']
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, bindparam
from sqlalchemy.sql.elements import ColumnElement

from ..texts import searchable

MOST_WORDS = 10
MOST_LETTERS = 200


def words_of(text: str) -> list[str]:
    """The first ten, folded."""
    return searchable(text[:MOST_LETTERS]).split()[:MOST_WORDS]


def holding(column: Any, count: int) -> ColumnElement[bool]:
    """Whether a folded text holds each of ``count`` words, whose ``word_values`` are bound."""
    likes = (column.like(bindparam(f"word_{at}"), escape="\\") for at in range(count))
    return and_(*likes)


def word_values(words: Sequence[str]) -> dict[str, str]:
    """Signs that mean something to LIKE are looked for as they are."""
    escaped = (word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for word in words)
    return {f"word_{at}": f"%{word}%" for at, word in enumerate(escaped)}


def marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is a word that was looked for.

    >>> marked("Straßenfest in Köln", ["strasse", "koln"])
    [('Straße', True), ('nfest in ', False), ('Köln', True)]
    """
    folded, origin = [], []
    for at, char in enumerate(text):
        for one in searchable(char):
            folded.append(one)
            origin.append(at)
    whole, hit = "".join(folded), [False] * len(text)
    for word in words:
        found = whole.find(word)
        while found >= 0:
            first, last = origin[found], origin[found + len(word) - 1]
            hit[first : last + 1] = [True] * (last + 1 - first)
            found = whole.find(word, found + 1)
    return _pieces(text, hit)


def _pieces(text: str, hit: Sequence[bool]) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    begin = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or hit[at] != hit[begin]:
            pieces.append((text[begin:at], hit[begin]))
            begin = at
    return pieces
