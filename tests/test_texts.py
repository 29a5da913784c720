"""What texts may hold: how people write stays, what nobody can see or show does not."""

import sys
import unicodedata

import pytest

from sched_async.texts import UnfitTextError, isolated, many_lines, one_line, unfit

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
UNASSIGNED = "\U0001fae9\U0001faff"  # emoji of a later Unicode than this Python's, or none yet


@pytest.mark.parametrize(
    "text",
    [
        "Zoë",
        "علی\u200cرضا",  # noqa: RUF001
        "क\u094d\u200dष",
        "e\u0301",
        "a\u200eb\u200f",
        FAMILY,
        ENGLAND,
        "1\ufe0f\u20e3",
        UNASSIGNED,
        "\ue000",
        "two  spaces",
        "\u202a+49 170\u202c",
    ],
)
def test_what_belongs_to_how_people_write_stays(text: str) -> None:
    assert one_line(text) == text
    assert many_lines(text) == text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("田中\u3000太郎", "田中 太郎"),
        ("Jean\u00a0Luc", "Jean Luc"),
        ("a\u2028b\u2029c", "a b c"),
        ("\u2003 a\u202fb \t", "a b"),
    ],
)
def test_odd_spaces_of_one_line_are_plain_ones(typed: str, kept: str) -> None:
    assert one_line(typed) == kept


def test_every_space_of_unicode_is_a_plain_one() -> None:
    spaces = [char for char in map(chr, range(sys.maxunicode)) if is_space(char)]
    assert {one_line(f"a{char}b") for char in spaces} == {"a b"}
    assert len(spaces) == 19


def is_space(char: str) -> bool:
    return unicodedata.category(char) in ("Zs", "Zl", "Zp")


@pytest.mark.parametrize(
    "text",
    ["", " \u200b", "\u3164", "\u2800", "\u2800 \u3164\u200d", "\u00ad", "\ufeff\ufe0f", "\u2060"],
    ids=ascii,
)
def test_what_nobody_can_see_is_empty(text: str) -> None:
    assert one_line(text) == ""
    assert many_lines(f"{text}\r\n{text}") == ""


@pytest.mark.parametrize("char", ["\0", "\x07", "\x0b", "\x85", "\ud800", "\u202e", "\u202d"])
@pytest.mark.parametrize("read", [one_line, many_lines])
def test_what_cannot_be_kept_is_named(char: str, read: type) -> None:
    with pytest.raises(UnfitTextError, match=rf"Remove U\+{ord(char):04X}\.$"):
        read(f"a{char}b")


@pytest.mark.parametrize("char", ["\t", "\n", "\r"])
def test_breaks_and_tabs_are_text_of_several_lines_only(char: str) -> None:
    with pytest.raises(UnfitTextError):
        one_line(f"a{char}b")
    assert unfit(f"a{char}b", lines=True) == []


def test_a_line_break_counts_once() -> None:
    assert many_lines("a\r\nb\rc\nd\u2028e\n") == "a\nb\nc\nd\ne\n"


@pytest.mark.parametrize("text", ["Dentist", "Café (2)", "田中", FAMILY])
def test_text_that_goes_from_left_to_right_is_left_alone(text: str) -> None:
    assert isolated(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("שלום", "שלום"),
        ("a\u202eb", "ab"),
        ("a\u2069b\u2067", "ab"),
    ],
)
def test_other_text_cannot_turn_round_what_stands_beside_it(text: str, kept: str) -> None:
    assert isolated(text) == f"\u2068{kept}\u2069"
