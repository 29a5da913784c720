"""Confirm it is you: what can do lasting harm wants the password again after ten minutes."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from quart import Quart, Response, render_template_string, request
from wtforms import BooleanField, PasswordField, StringField

from sched_async.accounts.fresh_login import fresh_login_required
from sched_async.accounts.sessions import login_required
from sched_async.app import create_app
from sched_async.database import begin
from sched_async.forms import Form
from sched_async.models import User
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD, MALLORY_PASSWORD
from ..pages import Browser, cookie, csrf_token, hidden_fields, is_signed_in, text
from ..rows import activities
from ..tables import each
from .logins import age_proof, login_rows

CONFIRM = "/confirm/"
RISKY = "/risky/"
TYPED = {"motto": "Löwen & <Lämmer>", "loud": "y"}
PAGE = """
{% from "macros.html" import field, checkbox %}
{{ get_flashed_messages()|join(" ") }}
<form method="post">{{ form.csrf_token }}{{ field(form.motto) }}{{ checkbox(form.loud) }}
{{ field(form.new_password) }}</form>
"""


class RiskyForm(Form):
    motto = StringField("Motto")
    loud = BooleanField("Loud")
    new_password = PasswordField("New password")


@pytest.fixture
async def app(settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """The app, with risky pages as simple as can be."""
    app = create_app(settings)

    @app.route(RISKY, methods=["GET", "POST"])
    @login_required
    @fresh_login_required
    async def risky() -> str:
        if request.method == "POST":
            return f"done with {(await request.form)['motto']}"
        return await render_template_string(PAGE, form=RiskyForm(await request.form))

    @app.route(f"{RISKY}<int:number>/act/", methods=["POST"])
    @login_required
    @fresh_login_required
    async def act(number: int) -> str:
        return f"acted on {number}"

    async with app.test_app():
        yield app


@pytest.fixture
async def stale(app: Quart, alice: User) -> Client:
    """Alice's browser, in which nobody has proven anything for a while."""
    client = await signed_in(app, alice.email)
    await age_proof(app)
    return client


async def confirm(
    client: Browser, password: str = ALICE_PASSWORD, wanted: str = RISKY, **more: str
) -> Response:
    """Fill in the page that asks, and send it."""
    page = await client.get(CONFIRM, query_string={"next": wanted})
    assert f'value="{wanted}"' in await text(page)
    form = {"csrf_token": await csrf_token(client, CONFIRM), "password": password, **more}
    return await client.post(CONFIRM, form={"next": wanted, **form})


async def confirm_carrying(
    client: Client, asked: Response, password: str = ALICE_PASSWORD
) -> Response:
    """Fill in the page that came instead of what was sent."""
    assert asked.status_code == 403
    return await client.post(CONFIRM, form=await hidden_fields(asked) | {"password": password})


async def press(client: Client, page: Response) -> Response:
    """Press the one button of the page that sends again, by its own token."""
    main = (await page.get_data(as_text=True)).partition("<main")[2]
    (action,) = re.findall(r'<form method="post" action="([^"]+)">', main)
    headers = {"X-CSRF-Token": ""}
    return await client.post(unescape(action), form=await hidden_fields(page), headers=headers)


async def test_whoever_has_just_signed_in_is_not_asked(app: Quart, alice: User) -> None:
    client = await signed_in(app, alice.email)
    assert (await client.get(RISKY)).status_code == 200
    assert await text(await client.post(RISKY, form=TYPED)) == "done with Löwen & <Lämmer>"


@pytest.mark.parametrize(
    ("minutes", "seconds", "status"),
    [(9, 55, 200), (10, 0, 303), (11, 0, 303), (-1, 5, 200), (-2, 0, 303)],
)
async def test_a_proof_holds_for_ten_minutes(
    app: Quart, alice: User, minutes: int, seconds: int, status: int
) -> None:
    """ASVS 7.5.1.  By a clock that is ahead it may be of the future, but by a minute at most."""
    client = await signed_in(app, alice.email)
    await age_proof(app, timedelta(minutes=minutes, seconds=seconds))
    assert (await client.get(RISKY)).status_code == status


async def test_using_the_site_is_no_proof(app: Quart, stale: Client) -> None:
    for _ in range(3):
        assert await is_signed_in(stale)
    assert (await stale.get(RISKY)).status_code == 303


async def test_confirming_leads_back_to_the_page_with_its_query(stale: Client) -> None:
    asked = await stale.get(f"{RISKY}?step=2&of=3")
    assert asked.status_code == 303
    assert asked.location == "/confirm/?next=/risky/?step%3D2%26of%3D3"
    page = await text(await stale.get(asked.location))
    assert 'value="/risky/?step=2&of=3"' in page
    assert "What you entered has been kept" not in page
    answer = await confirm(stale, wanted="/risky/?step=2&of=3")
    assert (answer.status_code, answer.location) == (303, "/risky/?step=2&of=3")
    assert (await stale.get(RISKY)).status_code == 200


async def test_what_was_typed_is_there_again_and_was_not_done(stale: Client) -> None:
    asked = await stale.post(RISKY, form=TYPED)
    assert "What you entered has been kept" in await text(asked)
    answer = await confirm_carrying(stale, asked)
    assert answer.status_code == 200
    assert "Nothing has changed yet" in await text(answer)
    assert await text(await press(stale, answer)) == "done with Löwen & <Lämmer>"


async def test_the_address_is_carried_with_its_query(stale: Client) -> None:
    asked = await stale.post(f"{RISKY}?step=2&of=3", form=TYPED)
    answer = await confirm_carrying(stale, asked)
    assert 'action="/risky/?step=2&amp;of=3"' in await answer.get_data(as_text=True)


async def test_nothing_of_it_is_kept_in_the_browser(stale: Client) -> None:
    await stale.post(RISKY, form=TYPED)
    async with stale.session_transaction() as session:
        assert "Löwen" not in repr(dict(session))
    assert "Löwen" not in await text(await stale.get(RISKY))


@pytest.mark.parametrize("field", ["password", "new_password", "password_again", "code"])
async def test_a_password_or_code_that_was_typed_is_never_carried(
    stale: Client, field: str
) -> None:
    asked = await stale.post(RISKY, form=TYPED | {field: "kangaroo 123456"})
    assert "Lämmer" in await text(asked)
    assert "kangaroo" not in await text(asked)
    answer = await confirm_carrying(stale, asked)
    assert "kangaroo" not in await text(answer)
    assert ALICE_PASSWORD not in await text(answer)


@pytest.mark.parametrize("motto", ["x" * 10_000, "\"'<>&\n\\ </form>" * 100, "\u4e00" * 2000])
async def test_much_and_odd_text_is_carried_whole(stale: Client, motto: str) -> None:
    asked = await stale.post(RISKY, form={"motto": motto})
    done = await press(stale, await confirm_carrying(stale, asked))
    assert await text(done) == f"done with {motto}"


async def test_what_only_takes_a_press_is_pressed_again(stale: Client) -> None:
    """There is no page at the address itself: a browser led there would be told 405."""
    asked = await stale.post(f"{RISKY}7/act/")
    assert "What you entered has been kept" not in await text(asked)
    answer = await confirm_carrying(stale, asked)
    assert await text(await press(stale, answer)) == "acted on 7"


@each(
    "carried",
    [
        "",
        "{",
        "[]",
        "7",
        "[" * 5_000,
        '{"action": "//evil.example/", "fields": []}',
        '{"action": "https://evil.example/", "fields": []}',
        '{"action": "/\\\\evil.example/", "fields": []}',
        '{"action": "/\\t/evil.example/", "fields": []}',
        '{"action": "javascript:alert(1)", "fields": []}',
        '{"action": 7, "fields": []}',
        '{"action": "/risky/"}',
        '{"action": "/risky/", "fields": 7}',
    ],
)
async def test_what_was_not_carried_from_here_is_not_sent_anywhere(
    stale: Client, carried: str
) -> None:
    form = {"password": ALICE_PASSWORD, "next": RISKY, "carried": carried}
    answer = await stale.post(CONFIRM, form=form)
    assert (answer.status_code, answer.location) == (303, RISKY)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "headers", [{"Accept": "application/json"}, {"Sec-Fetch-Dest": "empty"}, {}]
)
async def test_a_script_is_told_where_to_go(
    app: Quart, alice: User, stale: Client, headers: dict[str, str], method: str
) -> None:
    """Never a bare 401: it says what is missing, and the page that asks."""
    given: dict[str, Any] = {"headers": headers | {"X-CSRF-Token": await stale.csrf_token()}}
    if not headers:
        given["json"] = {}
    response = await stale.open(RISKY, method=method, **given)
    assert response.status_code == 403
    assert await response.get_json() == {
        "status": "Forbidden",
        "message": "Confirm it's you first.",
        "confirm": f"{CONFIRM}?next={RISKY}",
    }


async def test_confirming_gives_a_new_token_and_ends_the_old(
    app: Quart, alice: User, stale: Client
) -> None:
    """ASVS 7.2.4."""
    (before,) = await login_rows(app, alice.id)
    thief = Client(app)
    copied = cookie(stale)
    assert copied
    thief.set_cookie("localhost", "sched_login", copied)
    assert await is_signed_in(thief)
    await confirm(stale)
    assert cookie(stale) != copied
    assert not await is_signed_in(thief)
    assert await is_signed_in(stale)
    (after,) = await login_rows(app, alice.id)
    assert (after.id, after.created_at, after.expires_at, after.remember) == (
        before.id,
        before.created_at,
        before.expires_at,
        before.remember,
    ), "it is the same session, and lives no longer"


@pytest.mark.parametrize("remember", [True, False])
async def test_the_new_cookie_lasts_as_the_old_one_did(
    app: Quart, alice: User, remember: bool
) -> None:
    client = await signed_in(app, alice.email, remember=remember)
    answer = await confirm(client)
    (header,) = (
        value for value in answer.headers.getlist("Set-Cookie") if value.startswith("sched_login")
    )
    assert ("Max-Age" in header) == remember


async def test_confirming_here_proves_nothing_elsewhere(app: Quart, alice: User) -> None:
    here, elsewhere = [await signed_in(app, alice.email) for _ in range(2)]
    await age_proof(app)
    await confirm(here)
    assert (await here.get(RISKY)).status_code == 200
    assert (await elsewhere.get(RISKY)).status_code == 303


@pytest.mark.parametrize(
    "password", ["not this one either", MALLORY_PASSWORD, ALICE_PASSWORD.upper()]
)
async def test_a_wrong_password_is_said_and_written_down(
    app: Quart, alice: User, mallory: User, stale: Client, password: str
) -> None:
    before = cookie(stale)
    answer = await confirm(stale, password)
    page = await text(answer)
    assert answer.status_code == 401
    assert "Incorrect password." in page
    assert password not in page
    assert f'value="{RISKY}"' in page, "the next try leads to the same place"
    assert "Set-Cookie" not in answer.headers or "sched_login" not in str(answer.headers)
    assert cookie(stale) == before
    assert (await stale.get(RISKY)).status_code == 303
    assert await activities(app, alice.id) == ["confirm_failed"]
    assert await activities(app, mallory.id) == []
    assert (await confirm(stale)).location == RISKY


async def test_what_was_typed_outlives_a_wrong_password(stale: Client) -> None:
    asked = await stale.post(RISKY, form=TYPED)
    wrong = await confirm_carrying(stale, asked, "not this one either")
    assert wrong.status_code == 401
    form = await hidden_fields(wrong) | {"password": ALICE_PASSWORD}
    answer = await press(stale, await stale.post(CONFIRM, form=form))
    assert await text(answer) == "done with Löwen & <Lämmer>"


@pytest.mark.parametrize(
    "form", [{}, {"password": ""}, {"password": "x" * 1025}, {"password": "x", "user_id": "1"}]
)
async def test_a_form_that_is_not_right_proves_nothing(stale: Client, form: dict[str, str]) -> None:
    assert (await stale.post(CONFIRM, form=form)).status_code == 422
    assert (await stale.get(RISKY)).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example/",
        "javascript:alert(1)",
        "\t//evil.example",
        "https:evil.example",
        "evil.example",
        "/x\r\nSet-Cookie: a=b",
        "",
    ],
)
async def test_confirming_never_leads_to_another_site(stale: Client, wanted: str) -> None:
    """ASVS 3.7.2."""
    form = {"password": ALICE_PASSWORD, "next": wanted}
    answer = await stale.post(CONFIRM, form=form)
    assert (answer.status_code, answer.location) == (303, "/appointments/")


async def test_the_password_of_one_does_not_confirm_the_other(
    app: Quart, alice: User, mallory: User
) -> None:
    """Mallory, signed in, sends Alice's password and address from her own browser."""
    hers = await signed_in(app, mallory.email)
    await age_proof(app)
    assert (await confirm(hers, ALICE_PASSWORD)).status_code == 401
    form = {"password": ALICE_PASSWORD, "username": alice.email}
    assert (await hers.post(CONFIRM, form=form)).status_code == 422
    assert await activities(app, alice.id) == []


async def test_a_stranger_cannot_confirm(app: Quart, client: Browser, alice: User) -> None:
    for path in (CONFIRM, RISKY):
        assert (await client.get(path)).location == f"/login/?next={path}"
    answer = await Client(app).post(CONFIRM, form={"password": ALICE_PASSWORD})
    assert answer.location == f"/login/?next={CONFIRM}"


@pytest.mark.parametrize("ended", ["is_active", "row"])
async def test_a_session_that_was_ended_cannot_be_confirmed(
    app: Quart, alice: User, stale: Client, ended: str
) -> None:
    token = await csrf_token(stale, CONFIRM)
    async with app.app_context(), begin() as db:
        user = await db.get_one(User, alice.id)
        if ended == "is_active":
            user.is_active = False
        else:
            await db.delete((await login_rows(app, alice.id))[0])
    form = {"password": ALICE_PASSWORD, "csrf_token": token}
    answer = await stale.post(CONFIRM, form=form)
    assert (answer.location or "").startswith("/login/")
    assert await activities(app, alice.id) == []


async def test_the_page_that_asks_names_the_account_for_password_managers(stale: Client) -> None:
    page = await text(await stale.get(CONFIRM))
    assert 'autocomplete="username" value="alice@example.org"' in page
    assert 'autocomplete="current-password"' in page


async def test_a_form_that_is_too_long_is_refused_as_ever(stale: Client) -> None:
    assert (await stale.post(RISKY, form={"motto": "x" * 300_000})).status_code == 413
