"""Dates in words."""

from datetime import date


def short_date(day: date) -> str:
    return f"{day:%a} {day.day} {day:%B}"


def long_date(day: date) -> str:
    return f"{day:%A}, {day.day} {day:%B} {day.year}"
