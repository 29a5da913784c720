"""What the next page says of a change, and the button there that takes it back."""

from quart import flash

from ..texts import isolated

MOST_LETTERS = 60  # a cookie has to hold the message, whatever a title is made of


def called(title: str, letters: int = MOST_LETTERS) -> str:
    """An appointment or a calendar by its name, as a sentence has it.

    >>> called("Dentist"), called("")
    ('“Dentist”', '“(no title)”')
    """
    if len(title) > letters:
        title = f"{title[:letters].rstrip()}…"
    return f"“{isolated(title or '(no title)')}”"


async def flash_undo(message: str, act_id: int) -> None:
    """Say that something has been done; the layout puts a button beside it that undoes the act."""
    await flash(message, f"success {act_id}")
