"""Numbers with the noun that they count."""


def counted(number: int, noun: str, many: str = "") -> str:
    """``many`` is for a noun that does not just take an s.

    >>> counted(1, "day"), counted(0, "day")
    ('1 day', '0 days')
    """
    return f"{number} {noun if number == 1 else many or f'{noun}s'}"
