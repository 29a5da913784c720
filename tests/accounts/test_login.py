"""The login page and the logout page."""

import asyncio
from datetime import timedelta

import pytest
from quart import Quart, Response
from sqlalchemy import delete, select, update

from sched_async.accounts.admin import actions
from sched_async.accounts.cleanup import sweep
from sched_async.accounts.password_reset import link_for
from sched_async.accounts.registration.rules import create_account
from sched_async.database import begin, reading
from sched_async.errors import RefusedError
from sched_async.models import Appointment, LoginSession, User
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD
from ..pages import Browser, cookie, csrf_token, hidden_fields, log_in, text
from ..rows import activities
from .factors import SET_UP, STEP, Phone, enrolled, secret_in
from .links import age_tokens, settled
from .logins import login_rows

WRONG = "Incorrect username or password."
HOSTILE = [
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "\t//evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "//evil.example/%2f..",
    "evil.example",
    "/\r\nSet-Cookie: a=b",
    "http://[",
]


async def test_signing_in_leads_to_the_appointments(client: Browser, alice: User) -> None:
    response = await log_in(client, "alice@example.org", ALICE_PASSWORD)
    assert (response.status_code, response.location) == (303, "/appointments/")
    page = await client.get("/appointments/")
    assert page.status_code == 200
    assert "Alice" in await text(page)


async def test_the_address_may_be_typed_with_capitals_and_spaces(
    client: Browser, alice: User
) -> None:
    response = await log_in(client, " Alice@Example.ORG ", ALICE_PASSWORD)
    assert response.status_code == 303


@pytest.mark.parametrize(
    ("kept", "typed"),
    [
        ("jörg@münchen.de", "jörg@xn--mnchen-3ya.de"),
        ("jörg@münchen.de", "Jörg@MÜNCHEN.de"),
        ("jörg@münchen.de", "jo\u0308rg@mu\u0308nchen.de"),
        ("i\u0307z@example.org", "İZ@example.org"),
        ("ada@home.local", "Ada@Home.local"),
        ("ada@nas.home.arpa", "ADA@NAS.HOME.ARPA"),
        ("bob@localhost", "bob@LOCALHOST"),
        ("bob@nas", " BOB@nas"),
        ("bob@[192.168.1.2]", "Bob@[192.168.1.2]"),
    ],
)
async def test_an_address_is_the_same_in_any_of_its_forms(
    app: Quart, client: Browser, kept: str, typed: str
) -> None:
    person = {"name": "Zoë", "password": ALICE_PASSWORD, "timezone": "Europe/Berlin"}
    async with app.app_context():
        assert (await create_account(email=typed, **person)).email == kept
        with pytest.raises(RefusedError, match="already an account"):
            await create_account(email=kept, **person)
        assert (await link_for(typed)).startswith("http://localhost/password/reset/")
        assert "(0 sessions)" in await actions.act_on(typed, "sign-out")
    assert (await log_in(client, typed, WRONG)).status_code == 401
    await settled(app)
    assert await activities(app, 1) == ["signed_out", "login_failed"]
    helped = await signed_in(app, typed)
    assert kept in await text(await helped.get("/account/email/"))
    assert kept in await text(await helped.get("/admin/users/", query_string={"q": typed}))
    assert (await log_in(client, typed, ALICE_PASSWORD)).status_code == 303


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.org", "not this one either"),
        ("alice@example.org", ALICE_PASSWORD.upper()),
        ("alice@example.org", ALICE_PASSWORD + " "),
        ("nobody@example.org", ALICE_PASSWORD),
    ],
)
async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    client: Browser, alice: User, email: str, password: str
) -> None:
    response = await log_in(client, email, password)
    assert response.status_code == 401
    page = await text(response)
    assert WRONG in page
    assert email in page, "what was typed comes back"
    assert password not in page, "but not the password"
    assert cookie(client) is None


@pytest.mark.parametrize("missing", ["username", "password"])
async def test_an_empty_field_gets_the_same_sentence(
    client: Browser, alice: User, missing: str
) -> None:
    form = {"username": "alice@example.org", "password": ALICE_PASSWORD} | {missing: ""}
    form["csrf_token"] = await csrf_token(client)
    response = await client.post("/login/", form=form)
    assert response.status_code == 422
    assert WRONG in await text(response)


async def test_the_page_that_was_asked_for_follows(client: Browser, alice: User) -> None:
    refused = await client.get("/appointments/?past=1")
    assert refused.status_code == 303
    page = await text(await client.get(refused.location or ""))
    assert "Please log in to see your appointments." in page
    assert 'value="/appointments/?past=1"' in page
    response = await log_in(
        client, "alice@example.org", ALICE_PASSWORD, next="/appointments/?past=1"
    )
    assert response.location == "/appointments/?past=1"


@pytest.mark.parametrize("next_page", HOSTILE)
async def test_no_link_leads_elsewhere_after_signing_in(
    client: Browser, alice: User, next_page: str
) -> None:
    response = await log_in(client, "alice@example.org", ALICE_PASSWORD, next=next_page)
    assert (response.status_code, response.location) == (303, "/appointments/")


async def test_whoever_is_signed_in_is_not_asked_again(client: Browser, alice: User) -> None:
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    response = await client.get("/login/", query_string={"next": "/appointments/create/"})
    assert (response.status_code, response.location) == (303, "/appointments/create/")


async def test_a_mailed_link_to_sign_in_first_asks_somebody_else_to_sign_out(
    client: Browser, alice: User
) -> None:
    page = await client.get("/login/?other=1")
    assert page.status_code == 200, "where nobody is signed in, one signs in"
    await log_in(client, alice.email, ALICE_PASSWORD)
    response = await client.get("/login/?other=1")
    assert (response.status_code, response.location) == (303, "/logout/")
    assert alice.email in await text(await client.get("/logout/"))


async def test_the_login_message_is_shown_once(client: Browser) -> None:
    for _ in range(30):
        await client.get("/appointments/")
    page = await text(await client.get("/login/"))
    assert page.count("Please log in to see your appointments.") == 1


async def test_signing_out_by_get_only_asks(client: Browser, alice: User) -> None:
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    assert (await client.get("/logout/")).status_code == 200
    assert (await client.get("/appointments/")).status_code == 200


async def test_signing_out_ends_the_session_for_a_copied_cookie_too(
    app: Quart, client: Browser, alice: User
) -> None:
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    copied = cookie(client)
    assert copied
    token = await csrf_token(client, "/logout/")
    response = await client.post("/logout/", form={"csrf_token": token})
    assert (response.status_code, response.location) == (303, "/login/")
    assert cookie(client) is None
    assert "You have signed out." in await text(await client.get("/login/"))
    thief = app.test_client()
    thief.set_cookie("localhost", "sched_login", copied)
    assert (await thief.get("/appointments/")).status_code == 303


async def test_every_signed_in_page_offers_to_sign_out(client: Browser, alice: User) -> None:
    """ASVS 7.4.4."""
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    for path in ("/appointments/", "/appointments/create/", "/nowhere/"):
        page = await text(await client.get(path))
        assert 'action="/logout/"' in page, path


@pytest.fixture
async def deactivated(app: Quart, alice: User) -> User:
    async with app.app_context(), begin() as db:
        user = await db.get_one(User, alice.id)
        user.is_active = False
    return user


async def test_a_deactivated_person_is_told_so(
    app: Quart, client: Browser, deactivated: User
) -> None:
    response = await log_in(client, deactivated.email, ALICE_PASSWORD)
    assert response.status_code == 403
    page = await text(response)
    assert "Your account is deactivated. Contact an administrator." in page
    assert WRONG not in page
    assert cookie(client) is None
    async with app.app_context(), reading() as db:
        assert (await db.scalars(select(LoginSession))).all() == []


async def test_without_the_password_nobody_learns_that_a_person_is_deactivated(
    client: Browser, deactivated: User
) -> None:
    """ASVS 6.3.8."""
    response = await log_in(client, deactivated.email, "not this one either")
    assert response.status_code == 401
    page = await text(response)
    assert WRONG in page
    assert "deactivated" not in page


@pytest.mark.databases("postgresql")
async def test_a_login_waits_for_a_change_of_the_password_that_is_under_way(
    app: Quart, client: Browser, alice: User
) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(password_hash="another"))
        login = asyncio.create_task(log_in(client, alice.email, ALICE_PASSWORD))
        done, _ = await asyncio.wait([login], timeout=0.5)
        assert not done
    assert (await login).status_code == 401
    assert await login_rows(app, alice.id) == []


async def test_a_login_that_is_refused_leaves_no_row(
    app: Quart, client: Browser, alice: User
) -> None:
    await log_in(client, "alice@example.org", "not this one either")
    async with app.app_context(), reading() as db:
        assert (await db.scalars(select(LoginSession))).all() == []


BEGIN = (
    "There are no accounts here yet. To create the first, open the link that this server printed"
)


async def test_a_server_without_accounts_says_how_to_begin(app: Quart, client: Browser) -> None:
    assert BEGIN in await text(await client.get("/login/"))
    async with app.app_context():
        await create_account(
            name="Alice", email="alice@example.org", password=ALICE_PASSWORD, timezone="UTC"
        )
    assert BEGIN not in await text(await client.get("/login/"))


@pytest.mark.parametrize(
    ("sent", "page"),
    [
        ("/account/devices/1/sign-out/", "/account/devices/"),
        ("/appointments/create/", "/appointments/create/"),
    ],
)
async def test_after_a_session_has_ended_a_button_leads_back_to_a_page(
    app: Quart, alice: User, sent: str, page: str
) -> None:
    client = await signed_in(app, alice.email)
    async with app.app_context(), begin() as db:
        await db.execute(delete(LoginSession))
    asked = await client.post(sent)
    assert (asked.status_code, asked.location) == (303, f"/login/?next={page}")


async def test_who_is_signed_out_already_need_not_sign_in_to_sign_out(
    app: Quart, alice: User
) -> None:
    client = await signed_in(app, alice.email)
    async with app.app_context(), begin() as db:
        await db.execute(delete(LoginSession))
    answer = await client.post("/logout/")
    assert (answer.status_code, answer.location) == (303, "/login/")


async def test_a_second_click_on_sign_out_leaves_the_message_of_the_first(
    app: Quart, alice: User
) -> None:
    client, twin = await signed_in(app, alice.email), Client(app)
    twin.set_cookie("localhost", "sched_login", cookie(client) or "")
    await client.post("/logout/")
    second = await twin.post("/logout/")
    assert (second.status_code, second.location) == (303, "/login/")
    assert "Set-Cookie" not in second.headers
    page = await text(await client.get("/login/"))
    assert "You have signed out." in page
    assert "Please log in" not in page


@pytest.mark.parametrize("wanted", ["/account/devices/1/sign-out/", "/no/such/page/"])
async def test_signing_in_leads_only_to_what_can_be_shown(
    client: Browser, alice: User, wanted: str
) -> None:
    answer = await log_in(client, "alice@example.org", ALICE_PASSWORD, next=wanted)
    assert answer.location == "/appointments/"


OURS = {"Sec-Fetch-Site": "same-origin"}
MEETING = {
    "title": "Löwen & <Lämmer>",
    "description": "one\ntwo " * 900,
    "start": "2027-01-01T10:00",
    "end": "2027-01-01T11:00",
}
CREATE = "/appointments/create/"


async def written_too_long(app: Quart, alice: User) -> tuple[Client, Response]:
    """The answer to a form that was sent after the session had ended."""
    client = await signed_in(app, alice.email)
    async with app.app_context(), begin() as db:
        await db.execute(delete(LoginSession))
    asked = await client.post(CREATE, form=MEETING | {"new_password": "kangaroo"})
    assert asked.status_code == 401
    assert "Once you've signed in, you can send it." in await text(asked)
    assert "kangaroo" not in await text(asked)
    return client, asked


async def titles(app: Quart) -> list[str]:
    async with app.app_context(), reading() as db:
        return list(await db.scalars(select(Appointment.title)))


async def test_what_was_typed_while_the_session_ended_is_sent_by_one_press(
    app: Quart, alice: User
) -> None:
    client, asked = await written_too_long(app, alice)
    form = {"username": alice.email, "password": "not this one either"}
    wrong = await client.post("/login/", form=await hidden_fields(asked) | form)
    assert wrong.status_code == 401
    form["password"] = ALICE_PASSWORD
    page = await client.post("/login/", form=await hidden_fields(wrong) | form)
    assert page.status_code == 200
    assert "You have signed in." in await text(page)
    assert 'action="/appointments/create/"' in await text(page)
    assert await titles(app) == [], "nothing is sent by itself"
    sent = await client.post(CREATE, form=await hidden_fields(page))
    assert sent.status_code == 303
    assert await titles(app) == ["Löwen & <Lämmer>"]


async def test_what_was_typed_outlives_the_second_step(app: Quart, alice: User) -> None:
    phone, _ = await enrolled(app, alice.email)
    client, asked = await written_too_long(app, alice)
    form = {"username": alice.email, "password": ALICE_PASSWORD}
    step = await client.post("/login/", form=await hidden_fields(asked) | form)
    assert (step.status_code, step.location) == (303, STEP)
    page = await client.post(STEP, form={"code": phone.code(30)})
    assert page.status_code == 200
    fields = await hidden_fields(page)
    fields.pop("csrf_token")
    assert fields == MEETING
    assert await titles(app) == []


@pytest.mark.parametrize("how", ["code", "reload", "wrong"])
async def test_what_was_typed_outlives_a_second_step_that_runs_out(
    app: Quart, alice: User, how: str
) -> None:
    phone, _ = await enrolled(app, alice.email)
    client, asked = await written_too_long(app, alice)
    form = {"username": alice.email, "password": ALICE_PASSWORD}
    await client.post("/login/", form=await hidden_fields(asked) | form)
    step = await hidden_fields(await client.get(STEP))
    if how == "wrong":
        for _ in range(5):
            page = await client.post(STEP, form=step | {"code": "1" * 25})
    else:
        await age_tokens(app, timedelta(minutes=6))
        if how == "code":
            async with app.app_context():
                await sweep()
            page = await client.post(STEP, form=step | {"code": phone.code(30)})
        else:
            page = await client.get(STEP)
    assert page.status_code == 401
    assert "Please sign in again." in await text(page)
    await client.post("/login/", form=await hidden_fields(page) | form)
    page = await client.post(STEP, form={"code": phone.code(30)})
    assert (await hidden_fields(page))["title"] == MEETING["title"]


async def test_what_was_typed_outlives_a_second_factor_that_has_to_be_set_up_first(
    app: Quart, alice: User
) -> None:
    client, asked = await written_too_long(app, alice)
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(needs_second_factor=True))
    form = {"username": alice.email, "password": ALICE_PASSWORD}
    page = await client.post("/login/", form=await hidden_fields(asked) | form)
    page = await client.post(CREATE, form=await hidden_fields(page) | {"password": "kangaroo"})
    assert page.status_code == 403
    assert "What you entered has been kept" in await text(page)
    phone = Phone(secret_in(await text(page)))
    sent = await hidden_fields(page)
    wrong = await client.post(SET_UP, form=sent | {"code": "000000"})
    page = await client.post(SET_UP, form=await hidden_fields(wrong) | {"code": phone.code()})
    assert "kangaroo" not in await text(page)
    assert await titles(app) == []
    assert (await client.post(CREATE, form=await hidden_fields(page))).status_code == 303
    assert await titles(app) == [MEETING["title"]]


async def test_a_new_password_is_asked_for_beside_what_was_typed(app: Quart, alice: User) -> None:
    """Its page would take the place of the only one that has it."""
    _, asked = await written_too_long(app, alice)
    assert '<a href="/password/forgot/" target="_blank">' in await text(asked)
    plain = await text(await app.test_client().get("/login/"))
    assert '<a href="/password/forgot/">Forgot your password?</a>' in plain


async def test_what_is_too_long_to_be_carried_leads_to_the_sign_in_page(
    app: Quart, client: Browser
) -> None:
    form = {"title": '"' * 80_000, "csrf_token": await csrf_token(client)}
    asked = await client.post(CREATE, form=form)
    assert (asked.status_code, asked.location) == (303, f"/login/?next={CREATE}")


@pytest.mark.parametrize("carried", ["", "{", '{"action": "//evil.example/", "fields": []}'])
async def test_what_was_not_carried_from_here_is_not_offered(
    client: Browser, alice: User, carried: str
) -> None:
    answer = await log_in(client, alice.email, ALICE_PASSWORD, carried=carried)
    assert (answer.status_code, answer.location) == (303, "/appointments/")


async def test_an_address_cannot_put_anything_into_the_sign_in_page(client: Browser) -> None:
    query = {"carried": '{"action": "/account/delete/", "fields": []}'}
    page = await text(await client.get("/login/", query_string=query))
    assert "delete" not in page


async def test_a_second_sign_in_page_does_not_ask_whoever_is_signed_in_by_now(
    app: Quart, alice: User
) -> None:
    client, asked = await written_too_long(app, alice)
    await log_in(client, alice.email, ALICE_PASSWORD)
    form = await hidden_fields(asked) | {"username": alice.email, "password": ALICE_PASSWORD}
    page = await client.post("/login/", form=form, headers=OURS | {"X-CSRF-Token": ""})
    assert page.status_code == 403
    assert (await hidden_fields(page))["title"] == MEETING["title"]
