"""Tables of inputs: one test that goes over all of its rows, on one app and its people.

    @each("number", ["0", "-1", "1e0"])
    async def test_a_number_that_names_no_row_is_nothing(hers: Client, number: str) -> None:

Written like ``parametrize``, and stacked like it; every row that fails is named.  It is for
rows that leave nothing behind, or nothing that the next one would notice.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any

import pytest

Row = tuple[str, dict[str, Any]]  # its name, and the arguments in it
Test = Callable[..., Awaitable[None] | None]


def shown(value: object) -> str:
    """What a row is called: what is repeated in it is counted instead."""
    return re.sub(r"(.)\1{9,}", lambda run: f"{run[1]}*{len(run[0])}", repr(value))


def each(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """Run a test with each of these rows as its arguments of these names."""
    table = [_row(names, row) for row in rows]

    def decorate(test: Test) -> Test:
        plain, before = getattr(test, "table", (test, [("", {})]))
        both = [
            (f"{name} {more}".strip(), row | rest) for name, row in table for more, rest in before
        ]
        return _going_over(both, plain)

    return decorate


def _row(names: str | tuple[str, ...], row: Any) -> Row:
    is_param = isinstance(row, type(pytest.param()))
    values = row.values if is_param else (row,) if isinstance(names, str) else row
    name = row.id if is_param and row.id else ", ".join(map(shown, values))
    return str(name), dict(zip((names,) if isinstance(names, str) else names, values, strict=True))


def _going_over(rows: list[Row], test: Test) -> Test:
    @wraps(test)
    async def over_async(subtests: pytest.Subtests, **fixtures: Any) -> None:
        for name, row in rows:
            with subtests.test(name):
                await test(**fixtures, **row)  # type: ignore[misc]

    @wraps(test)
    def over(subtests: pytest.Subtests, **fixtures: Any) -> None:
        for name, row in rows:
            with subtests.test(name):
                test(**fixtures, **row)

    going: Any = over_async if iscoroutinefunction(test) else over
    going.table = test, rows
    going.__signature__ = _with_fixtures(test, rows[0][1])
    return going  # type: ignore[no-any-return]


def _with_fixtures(test: Test, row: dict[str, Any]) -> Any:
    """A test's signature, by which pytest knows what to give, without what is in the table."""
    whole = signature(test)
    fixtures = [one for name, one in whole.parameters.items() if name not in row]
    return whole.replace(parameters=[*fixtures, Parameter("subtests", Parameter.KEYWORD_ONLY)])
