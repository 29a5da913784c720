"""The second factor: set up, asked for at each sign-in, replaced by recovery codes, lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner, Result
from quart import Quart
from quart.cli import ScriptInfo
from quart.testing import QuartClient
from sqlalchemy import func, select, update
from sqlalchemy import text as sql
from time_machine import Traveller

from sched_async import cli
from sched_async.accounts.admin import actions
from sched_async.accounts.two_factor import totp
from sched_async.app import create_app
from sched_async.database import begin, reading
from sched_async.models import (
    Activity,
    Appointment,
    Base,
    KnownBrowser,
    LoginSession,
    RecoveryCode,
    User,
)
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD, MALLORY_PASSWORD
from ..mailbox import MAIL_URL, mails
from ..pages import (
    Browser,
    asks_to_confirm,
    cookie,
    csrf_token,
    hidden_fields,
    is_signed_in,
    log_in,
    text,
)
from ..rows import all_rows
from .factors import (
    SET_UP,
    START,
    STATE,
    STEP,
    Phone,
    another_browser,
    enrol,
    enrolled,
    give_code,
    give_password,
    recovery_codes_in,
    shown_secret,
)
from .links import fill_in
from .logins import age_proof

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL)

ALICE = ("alice@example.org", ALICE_PASSWORD)
MALLORY = ("mallory@example.org", MALLORY_PASSWORD)
WRONG = "Incorrect code."
USED = "has already been used"
NEW_CODES = f"{STATE}recovery-codes/"
TURN_OFF = f"{STATE}turn-off/"
DAY = timedelta(days=1)
BY_OTHERS: dict[str, Callable[[], Awaitable[object]]] = {
    "removed": lambda: actions.act_on("alice@example.org", "remove-second-factor"),
    "set-password": lambda: actions.set_password("alice@example.org", "eleven slow herons at dusk"),
    "sign-out": lambda: actions.act_on("alice@example.org", "sign-out"),
    "deactivate": lambda: actions.act_on("alice@example.org", "deactivate", sure=True),
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
async def phone(app: Quart, alice: User, clock: Traveller) -> Phone:
    """Alice's, set up a while ago, so that its code of now has not been used."""
    phone, _ = await enrolled(app, "alice@example.org")
    clock.shift(timedelta(hours=1))
    return phone


@pytest.fixture
async def second_node(app: Quart, settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """Another process's app on the same database."""
    node = create_app(settings)
    from sched_async import database, lifespan

    lifespan.prepare(node)
    async with database.opened(node):
        yield node


async def user_row(app: Quart, email: str) -> User:
    async with app.app_context(), reading() as db:
        user = await db.scalar(select(User).where(User.email == email))
        assert user is not None
        return user


async def sessions(app: Quart) -> int:
    async with app.app_context(), reading() as db:
        return await db.scalar(select(func.count(LoginSession.id))) or 0


async def events(app: Quart) -> list[str]:
    async with app.app_context(), reading() as db:
        return list(await db.scalars(select(Activity.event).order_by(Activity.id).limit(100)))


async def subjects(app: Quart) -> list[str]:
    return [mail.subject for mail in await mails(app)]


async def dump(app: Quart) -> str:
    async with app.app_context(), reading() as db:
        tables = [table.name for table in Base.metadata.sorted_tables]
        rows = [(await db.execute(sql(f'SELECT * FROM "{name}"'))).all() for name in tables]
    return str(rows)


# Setting it up


async def test_without_a_second_factor_the_password_is_enough(client: Browser, alice: User) -> None:
    await log_in(client, *ALICE)
    assert await is_signed_in(client)
    assert "Set it up" in await text(await client.get(STATE))


async def test_setting_up_shows_a_picture_a_key_and_once_ten_codes(app: Quart, alice: User) -> None:
    """ASVS 6.5.2 to 6.5.4."""
    client = await signed_in(app, "alice@example.org")
    page = await (await client.get(SET_UP)).get_data(as_text=True)
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert "style" not in svg
    phone, codes = await enrol(client)
    assert len(set(codes)) == 10
    assert {len(code.replace("-", "")) * 5 for code in codes} == {125}
    state = await text(await client.get(STATE))
    assert "10 of 10 left" in state
    assert not recovery_codes_in(state)
    assert phone.secret not in state
    assert await events(app) == ["factor_on"]
    assert await subjects(app) == ["Two-factor authentication was set up"]


async def test_the_key_stays_the_same_until_a_code_shows_that_an_app_has_it(
    app: Quart, alice: User
) -> None:
    client = await signed_in(app, "alice@example.org")
    phone = Phone(await shown_secret(client))
    assert await shown_secret(client) == phone.secret
    response = await client.post(SET_UP, form={"code": "000000"})
    assert response.status_code == 422
    assert WRONG in await text(response)
    assert (await user_row(app, "alice@example.org")).totp_secret is None
    late = await client.post(SET_UP, form={"code": phone.code(seconds=300)})
    assert WRONG in await text(late)
    done = await client.post(SET_UP, form={"code": phone.code()})
    assert done.status_code == 200


async def test_a_key_that_nobody_confirmed_is_over_after_an_hour(
    app: Quart, alice: User, clock: Traveller
) -> None:
    client = await signed_in(app, "alice@example.org")
    phone = Phone(await shown_secret(client))
    clock.shift(timedelta(minutes=61))
    await age_proof(app, by=-timedelta(minutes=61))
    assert (await client.post(SET_UP, form={"code": phone.code()})).status_code == 422
    assert await shown_secret(client) != phone.secret


async def test_a_key_that_was_shown_to_one_person_cannot_become_anothers(
    app: Quart, alice: User, mallory: User
) -> None:
    """In one browser, one after the other."""
    client = await signed_in(app, "alice@example.org")
    phone = Phone(await shown_secret(client))
    theirs = await signed_in(app, "mallory@example.org")
    login = cookie(theirs)
    assert login
    client.set_cookie("localhost", "sched_login", login)
    assert await shown_secret(client) != phone.secret
    response = await client.post(SET_UP, form={"code": phone.code()})
    assert response.status_code == 422


@pytest.mark.databases("sqlite", "postgresql")
async def test_a_form_that_is_sent_twice_sets_up_once(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org")
    form = {"code": Phone(await shown_secret(client)).code()}
    answers = await asyncio.gather(*(client.post(SET_UP, form=form) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) in ([200, 303], [200, 422])
    assert await events(app) == ["factor_on"]


async def test_setting_up_signs_out_everywhere_else_and_renews_this_session(
    app: Quart, alice: User
) -> None:
    """ASVS 7.2.4 and 7.4.3."""
    client = await signed_in(app, "alice@example.org")
    other = await signed_in(app, "alice@example.org")
    before = cookie(client)
    await enrol(client)
    assert await is_signed_in(client)
    assert cookie(client) != before
    assert not await is_signed_in(other)


@pytest.mark.parametrize("path", [SET_UP, NEW_CODES, TURN_OFF])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_has_not_just_proven_to_be_the_owner_is_asked_first(
    app: Quart, phone: Phone, path: str, method: str
) -> None:
    """ASVS 7.5.1."""
    client = await signed_in(app, "alice@example.org")
    async with app.app_context(), begin() as db:
        await db.execute(update(LoginSession).values(proven_at=START - DAY))
    before = await user_row(app, "alice@example.org")
    response = await client.open(path, method=method, form={} if method == "POST" else None)
    assert await asks_to_confirm(response, path)
    assert (await user_row(app, "alice@example.org")).totp_secret == before.totp_secret


# Signing in


async def test_no_session_exists_before_the_second_step(
    app: Quart, client: QuartClient, phone: Phone
) -> None:
    """ASVS 6.3.3."""
    before = await sessions(app)
    await give_password(client, *ALICE)
    assert await sessions(app) == before
    assert cookie(client) is None
    assert not await is_signed_in(client)
    response = await give_code(client, phone.code())
    assert (response.status_code, response.location) == (303, "/appointments/")
    assert await sessions(app) == before + 1
    assert await is_signed_in(client)
    assert (await events(app))[-1] == "login"


async def test_what_was_chosen_at_the_first_step_holds_after_the_second(
    app: Quart, client: QuartClient, phone: Phone
) -> None:
    await give_password(client, *ALICE, remember="y", next="/appointments/?past=1")
    response = await give_code(client, phone.code())
    assert response.location == "/appointments/?past=1"
    async with app.app_context(), reading() as db:
        newest = select(LoginSession).order_by(LoginSession.id.desc()).limit(1)
        login = await db.scalar(newest)
    assert login is not None
    assert login.remember


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example"])
async def test_the_second_step_leads_nowhere_else(
    client: QuartClient, phone: Phone, target: str
) -> None:
    await give_password(client, *ALICE, next=target)
    assert (await give_code(client, phone.code())).location == "/appointments/"


@pytest.mark.parametrize(("seconds", "status"), [(0, 303), (29, 303), (31, 303), (61, 401)])
async def test_a_code_lasts_for_its_step_and_the_next(
    client: QuartClient, phone: Phone, clock: Traveller, seconds: int, status: int
) -> None:
    """ASVS 6.5.5."""
    await give_password(client, *ALICE)
    code = phone.code()
    clock.shift(timedelta(seconds=seconds))
    assert (await give_code(client, code)).status_code == status


@pytest.mark.parametrize("seconds", [-540, -120, 120, 540, 86_400])
async def test_a_code_of_another_time_is_wrong_and_clocks_are_named(
    client: QuartClient, phone: Phone, seconds: int
) -> None:
    await give_password(client, *ALICE)
    response = await give_code(client, phone.code(seconds=seconds))
    assert response.status_code == 401
    page = await text(response)
    assert WRONG in page
    assert "clock" in page
    assert not await is_signed_in(client)


@pytest.mark.databases("sqlite", "postgresql")
async def test_a_code_counts_once(app: Quart, client: QuartClient, phone: Phone) -> None:
    """ASVS 6.5.1."""
    await give_password(client, *ALICE)
    assert (await give_code(client, phone.code())).status_code == 303
    thief = another_browser(app)
    await give_password(thief, *ALICE)
    response = await give_code(thief, phone.code())
    assert response.status_code == 401
    assert USED in await text(response)


async def test_the_code_that_set_it_up_does_not_sign_in(
    app: Quart, client: QuartClient, alice: User
) -> None:
    phone, _ = await enrolled(app, "alice@example.org")
    await give_password(client, *ALICE)
    assert USED in await text(await give_code(client, phone.code()))


async def test_a_code_older_than_one_that_was_used_does_not_count(
    app: Quart, client: QuartClient, phone: Phone
) -> None:
    await give_password(client, *ALICE)
    assert (await give_code(client, phone.code(seconds=30))).status_code == 303
    thief = another_browser(app)
    await give_password(thief, *ALICE)
    assert USED in await text(await give_code(thief, phone.code()))


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_two_nodes_with_the_same_code_at_once_one_lets_in(
    app: Quart, second_node: Quart, phone: Phone
) -> None:
    """ASVS 6.5.1, over nodes."""
    browsers = [another_browser(node) for node in (app, second_node) for _ in range(3)]
    for browser in browsers:
        await give_password(browser, *ALICE)
    tokens = [await csrf_token(browser, STEP) for browser in browsers]
    answers = await asyncio.gather(
        *(
            browser.post(STEP, form={"code": phone.code(), "csrf_token": token})
            for browser, token in zip(browsers, tokens, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [303, 401, 401, 401, 401, 401]


async def test_one_persons_code_is_worth_nothing_to_another(
    app: Quart, client: QuartClient, phone: Phone, mallory: User, clock: Traveller
) -> None:
    theirs, codes = await enrolled(app, "mallory@example.org")
    clock.shift(timedelta(minutes=1))
    await give_password(client, *ALICE)
    for code in (theirs.code(), codes[0]):
        response = await give_code(client, code)
        assert response.status_code == 401
        assert WRONG in await text(response)
    await give_password(client, *MALLORY)
    assert (await give_code(client, phone.code())).status_code == 401
    assert (await give_code(client, codes[0])).status_code == 303


async def test_a_secret_moved_to_another_account_opens_nothing(
    app: Quart, client: QuartClient, phone: Phone, mallory: User
) -> None:
    """By whoever can write to the database, but has not the secret key."""
    kept = (await user_row(app, "alice@example.org")).totp_secret
    async with app.app_context(), begin() as db:
        await db.execute(
            update(User).where(User.email == "mallory@example.org").values(totp_secret=kept)
        )
    await give_password(client, *MALLORY)
    assert WRONG in await text(await give_code(client, phone.code()))


async def test_the_second_step_is_nothing_without_the_first(client: QuartClient) -> None:
    response = await client.get(STEP)
    assert (response.status_code, response.location) == (303, "/login/")


async def test_the_second_step_dies_after_five_minutes(
    client: QuartClient, phone: Phone, clock: Traveller
) -> None:
    """ASVS 6.6.2."""
    await give_password(client, *ALICE)
    token = await csrf_token(client, STEP)
    clock.shift(timedelta(minutes=5))
    response = await client.post(STEP, form={"code": phone.code(), "csrf_token": token})
    assert (response.status_code, response.location) == (303, "/login/")
    assert not await is_signed_in(client)
    assert "Please sign in again." in await text(await client.get("/login/"))


async def test_the_second_step_dies_after_five_wrong_codes(
    app: Quart, client: QuartClient, phone: Phone
) -> None:
    """ASVS 6.6.3.  Its owner is told: somebody knows the password."""
    await give_password(client, *ALICE)
    token = await csrf_token(client, STEP)
    form = {"code": "000000", "csrf_token": token}
    answers = [await client.post(STEP, form=form) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 303]
    form["code"] = phone.code()
    assert (await client.post(STEP, form=form)).location == "/login/"
    assert not await is_signed_in(client)
    assert (await events(app)).count("second_step_failed") == 5
    assert (await subjects(app))[-1] == "Someone may know your password"


async def test_recovery_codes_cannot_be_tried_nor_mail_be_caused_without_end(
    app: Quart, alice: User, clock: Traveller
) -> None:
    """ASVS 6.3.1: also by whoever has the password.  The owner's own code then works again."""
    _, codes = await enrolled(app, "alice@example.org")
    before = len(await mails(app))
    for _ in range(6):
        client = another_browser(app)
        await give_password(client, *ALICE)
        answers = [await give_code(client, "A" * 25) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401] * 4 + [303]
    warnings = (await subjects(app))[before:]
    assert warnings == ["Someone may know your password"] * 3
    await give_password(client, *ALICE)
    assert (await give_code(client, codes[0])).status_code == 429
    clock.shift(timedelta(minutes=16))
    await give_password(client, *ALICE)
    assert (await give_code(client, codes[0])).status_code == 303


@pytest.mark.databases("sqlite", "postgresql")
async def test_wrong_codes_at_once_are_counted_one_by_one(
    client: QuartClient, phone: Phone
) -> None:
    await give_password(client, *ALICE)
    token = await csrf_token(client, STEP)
    form = {"code": "000000", "csrf_token": token}
    answers = await asyncio.gather(*(client.post(STEP, form=form) for _ in range(8)))
    assert [answer.status_code for answer in answers].count(401) == 4


async def test_ten_wrong_codes_are_enough_for_a_quarter_of_an_hour(
    app: Quart, client: QuartClient, alice: User, clock: Traveller
) -> None:
    """ASVS 6.6.3: counted for the account, however often the password is given again."""
    phone, codes = await enrolled(app, "alice@example.org")
    clock.shift(timedelta(hours=1))
    for _ in range(2):
        await give_password(client, *ALICE)
        for _ in range(5):
            await give_code(client, "000000")
    await give_password(client, *ALICE)
    response = await give_code(client, phone.code())
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) <= 15 * 60
    other = another_browser(app)
    await give_password(other, *ALICE)
    assert (await give_code(other, codes[0])).status_code == 303, "the owner's way in"
    clock.shift(timedelta(minutes=16))
    await give_password(client, *ALICE)
    assert (await give_code(client, phone.code())).status_code == 303


@pytest.mark.parametrize("change", ["password_hash", "is_active", "totp_secret"])
async def test_the_second_step_dies_when_the_account_changes(
    app: Quart, client: QuartClient, phone: Phone, change: str
) -> None:
    await give_password(client, *ALICE)
    values = {"password_hash": "another", "is_active": False, "totp_secret": None}
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values({change: values[change]}))
    assert (await give_code_blindly(client, phone.code())).location == "/login/"
    assert not await is_signed_in(client)


async def give_code_blindly(client: QuartClient, code: str) -> Any:
    return await client.post(
        STEP, form={"code": code, "csrf_token": await csrf_token(client, STEP)}
    )


async def test_a_wrong_password_never_leads_to_the_second_step(
    client: QuartClient, phone: Phone
) -> None:
    response = await log_in(client, "alice@example.org", "not her password at all")
    assert response.status_code == 401
    assert (await client.get(STEP)).location == "/login/"


# Recovery codes


async def test_a_recovery_code_signs_in_once_however_it_is_typed(
    app: Quart, client: QuartClient, alice: User
) -> None:
    """ASVS 6.5.1 and 6.4.4."""
    _, codes = await enrolled(app, "alice@example.org")
    await give_password(client, *ALICE)
    typed = codes[0].lower().replace("-", " ").replace("o", "0")
    assert (await give_code(client, typed)).status_code == 303
    assert "You have 9 recovery codes left." in await text(await client.get("/appointments/"))
    thief = another_browser(app)
    await give_password(thief, *ALICE)
    assert WRONG in await text(await give_code(thief, codes[0]))
    assert "recovery_used" in await events(app)
    assert "A recovery code was used" in await subjects(app)
    assert "9 of 10 left" in await text(await client.get(STATE))


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_two_that_use_a_recovery_code_at_once_one_gets_in(
    app: Quart, second_node: Quart, alice: User
) -> None:
    _, codes = await enrolled(app, "alice@example.org")
    browsers = [another_browser(node) for node in (app, second_node)]
    for browser in browsers:
        await give_password(browser, *ALICE)
    tokens = [await csrf_token(browser, STEP) for browser in browsers]
    answers = await asyncio.gather(
        *(
            browser.post(STEP, form={"code": codes[0], "csrf_token": token})
            for browser, token in zip(browsers, tokens, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [303, 401]


async def test_new_recovery_codes_end_the_old_ones(
    app: Quart, client: QuartClient, alice: User
) -> None:
    owner = await signed_in(app, "alice@example.org")
    _, old = await enrol(owner)
    response = await owner.post(NEW_CODES)
    new = recovery_codes_in(await text(response))
    assert len(new) == 10
    assert not set(new) & set(old)
    await give_password(client, *ALICE)
    assert WRONG in await text(await give_code(client, old[0]))
    assert (await give_code(client, new[0])).status_code == 303
    assert "recovery_renewed" in await events(app)


# At rest


async def test_a_copy_of_the_database_holds_no_secret_and_no_code(
    app: Quart, client: QuartClient, alice: User, clock: Traveller
) -> None:
    """ASVS 6.5.2."""
    phone, codes = await enrolled(app, "alice@example.org")
    clock.shift(timedelta(minutes=1))
    await give_password(client, *ALICE)
    everything = await dump(app)
    assert phone.secret not in everything
    assert not [code for code in codes if code in everything or code.replace("-", "") in everything]


async def test_a_new_secret_key_opens_old_secrets_and_takes_them_over(
    app: Quart, client: QuartClient, phone: Phone, settings: dict[str, Any]
) -> None:
    old, app.secret_key = app.secret_key, "kM7_pX2-vT9_wB4 aR6-nC3_zL8_qF5"
    assert isinstance(old, str)
    app.config["SECRET_KEY_FALLBACKS"] = [old]
    await give_password(client, *ALICE)
    assert (await give_code(client, phone.code())).status_code == 303
    user = await user_row(app, "alice@example.org")
    assert totp.is_by_first_key(user.totp_secret or "", user.id, [str(app.secret_key)])


async def test_without_its_key_a_secret_opens_nothing_but_recovery_codes_work(
    app: Quart, client: QuartClient, alice: User, clock: Traveller
) -> None:
    phone, codes = await enrolled(app, "alice@example.org")
    clock.shift(timedelta(minutes=1))
    app.secret_key = "kM7_pX2-vT9_wB4 aR6-nC3_zL8_qF5"
    await give_password(client, *ALICE)
    assert WRONG in await text(await give_code(client, phone.code()))
    assert (await give_code(client, codes[0])).status_code == 303


# Trusted devices


async def trusting(app: Quart, code: str) -> QuartClient:
    """Alice's browser, signed out again, which she trusts."""
    client = another_browser(app)
    await give_password(client, *ALICE)
    assert (await give_code(client, code, trust="y")).status_code == 303
    await client.post("/logout/", form={"csrf_token": await csrf_token(client, "/logout/")})
    return client


async def test_a_trusted_device_is_not_asked_for_thirty_days(
    app: Quart, phone: Phone, clock: Traveller
) -> None:
    client = await trusting(app, phone.code())
    clock.shift(30 * DAY - timedelta(minutes=1))
    assert (await log_in(client, *ALICE)).location == "/appointments/"
    await client.post("/logout/", form={"csrf_token": await csrf_token(client, "/logout/")})
    clock.shift(timedelta(minutes=2))
    assert (await log_in(client, *ALICE)).location == STEP


async def test_without_the_tick_a_device_is_asked_again(
    client: QuartClient, phone: Phone, clock: Traveller
) -> None:
    await give_password(client, *ALICE)
    await give_code(client, phone.code())
    await client.post("/logout/", form={"csrf_token": await csrf_token(client, "/logout/")})
    await give_password(client, *ALICE)


async def test_trust_is_one_persons_and_one_browsers(
    app: Quart, phone: Phone, mallory: User, clock: Traveller
) -> None:
    await enrolled(app, "mallory@example.org")
    client = await trusting(app, phone.code())
    assert (await log_in(client, *MALLORY)).location == STEP
    elsewhere = another_browser(app)
    await give_password(elsewhere, *ALICE)
    theirs = another_browser(app)
    planted = "A" * 43
    theirs.set_cookie("localhost", "sched_device", planted)
    await give_password(theirs, *ALICE)
    clock.shift(timedelta(minutes=1))
    await give_code(theirs, phone.code(), trust="y")
    assert cookie(theirs, "sched_device") != planted, "nobody chooses what will be trusted"


async def test_a_trusted_device_is_asked_before_what_does_lasting_harm(
    app: Quart, phone: Phone, clock: Traveller
) -> None:
    """ASVS 6.4.4: it proves less than a code."""
    client = await trusting(app, phone.code())
    await log_in(client, *ALICE)
    assert (await client.get(TURN_OFF)).location == f"/confirm/?next={TURN_OFF}"
    assert 'name="code"' in await text(await client.get(f"/confirm/?next={TURN_OFF}"))


async def test_trust_ends_when_its_owner_says_so(app: Quart, phone: Phone) -> None:
    client = await trusting(app, phone.code())
    owner = await signed_in(app, "alice@example.org")
    assert "1 device doesn't" in await text(await client.get(STATE)) or "1 device doesn't" in (
        await text(await owner.get(STATE))
    )
    await owner.post(STATE)
    assert "1 device doesn't" not in await text(await owner.get(STATE))
    await give_password(client, *ALICE)
    assert "trust_ended" in await events(app)


@pytest.mark.parametrize("how", ["another app", "off and on", "set-password", "new password"])
async def test_trust_ends_with_what_it_rests_on(
    app: Quart, phone: Phone, how: str, clock: Traveller, settings: dict[str, Any]
) -> None:
    client = await trusting(app, phone.code())
    owner = await signed_in(app, "alice@example.org")
    password = ALICE_PASSWORD
    if how == "set-password":
        password = "seven quiet otters upstream"
        arguments = ["set-password", "alice@example.org", "--password-stdin"]
        assert (await run(settings, *arguments, stdin=password + "\n")).exit_code == 0
    elif how == "new password":
        password = "seven quiet otters upstream"
        form = {"current_password": ALICE_PASSWORD, "password": password}
        changed = await owner.post("/account/password/", form=form | {"password_again": password})
        assert changed.status_code == 303
    else:
        if how == "off and on":
            await owner.post(TURN_OFF, form={"end_others": "y"})
        await enrol(owner)
    await give_password(client, "alice@example.org", password)


async def test_a_new_password_ends_trust_in_the_browser_where_it_was_chosen_too(
    client: QuartClient, phone: Phone
) -> None:
    password = "seven quiet otters upstream"
    await give_password(client, *ALICE)
    await give_code(client, phone.code(), trust="y")
    new = {"password": password, "password_again": password}
    await fill_in(client, "/account/password/", current_password=ALICE_PASSWORD, **new)
    await fill_in(client, "/logout/")
    await give_password(client, "alice@example.org", password)


async def test_trust_ends_elsewhere_when_a_device_is_signed_out(
    app: Quart, phone: Phone, clock: Traveller
) -> None:
    """A lost one must not go on standing for the code."""
    lost = await trusting(app, phone.code())
    assert (await log_in(lost, *ALICE)).location == "/appointments/"
    owner = another_browser(app)
    clock.shift(timedelta(minutes=1))
    await give_password(owner, *ALICE)
    await give_code(owner, phone.code(), trust="y")
    token = await csrf_token(owner, "/account/devices/")
    done = await owner.post("/account/devices/sign-out-others/", form={"csrf_token": token})
    assert done.status_code == 303
    await give_password(lost, *ALICE)
    await owner.post("/logout/", form={"csrf_token": await csrf_token(owner, "/logout/")})
    assert (await log_in(owner, *ALICE)).location == "/appointments/", "this one is still trusted"


# Confirming


async def test_confirming_takes_a_code_as_well(
    app: Quart, client: QuartClient, alice: User, clock: Traveller
) -> None:
    """ASVS 7.5.1: a full proof."""
    phone, codes = await enrolled(app, "alice@example.org")
    clock.shift(timedelta(hours=1))
    await give_password(client, *ALICE)
    await give_code(client, phone.code())
    clock.shift(timedelta(minutes=11))
    assert (await client.get(TURN_OFF)).location == f"/confirm/?next={TURN_OFF}"
    assert (await confirm(client, code="")).status_code == 422
    assert (await confirm(client, code="000000")).status_code == 401
    assert (await confirm(client, password="not it", code=phone.code())).status_code == 401
    right = await confirm(client, code=phone.code())
    assert (right.status_code, right.location) == (303, TURN_OFF)
    assert USED in await text(await confirm(client, code=phone.code()))
    assert (await confirm(client, code=codes[0])).status_code == 303
    assert (await confirm(client, code=codes[0])).status_code == 401
    assert (await events(app)).count("confirm_code_failed") == 3


async def confirm(client: Browser, code: str, password: str = ALICE_PASSWORD) -> Any:
    token = await csrf_token(client, "/confirm/")
    form = {"password": password, "code": code, "next": TURN_OFF, "csrf_token": token}
    return await client.post("/confirm/", form=form)


# Turning it off, and losing everything


async def test_turning_it_off_makes_the_password_enough(
    app: Quart, client: QuartClient, phone: Phone
) -> None:
    owner = await signed_in(app, "alice@example.org")
    other = await signed_in(app, "alice@example.org")
    assert (await owner.get(TURN_OFF)).status_code == 200
    assert (await owner.post(TURN_OFF, form={"end_others": "y"})).status_code == 303
    assert (await log_in(client, *ALICE)).location == "/appointments/"
    assert not await is_signed_in(other)
    user = await user_row(app, "alice@example.org")
    assert (user.totp_secret, user.totp_step) == (None, None)
    assert "factor_off" in await events(app)
    assert "Two-factor authentication was turned off" in await subjects(app)
    async with app.app_context(), reading() as db:
        assert await db.scalar(select(func.count()).select_from(RecoveryCode)) == 0


async def run(settings: dict[str, Any], *arguments: str, stdin: str = "") -> Result:
    environment = {f"SCHED_{name}": str(value) for name, value in settings.items()}
    return await asyncio.to_thread(
        CliRunner(env=environment).invoke,
        cli.main,
        ["user", *arguments],
        input=stdin,
        obj=ScriptInfo(create_app=create_app),
    )


async def test_the_operator_can_remove_a_lost_factor(
    app: Quart, client: QuartClient, phone: Phone, settings: dict[str, Any]
) -> None:
    """ASVS 6.4.4: it is written down, its owner is told, and sessions end."""
    owner = await signed_in(app, "alice@example.org")
    result = await run(settings, "remove-second-factor", "alice@example.org")
    assert result.exit_code == 0, result.output
    assert not await is_signed_in(owner)
    assert (await log_in(client, *ALICE)).location == "/appointments/"
    assert "factor_removed" in await events(app)
    assert "Two-factor authentication was turned off" in await subjects(app)
    again = await run(settings, "remove-second-factor", "alice@example.org")
    assert again.exit_code == 1
    assert "does not use two-factor authentication" in again.output


# Required by an administrator


@pytest.fixture
async def obliged(app: Quart, alice: User, settings: dict[str, Any]) -> Client:
    """Alice, signed in, who must have a second factor and has none."""
    result = await run(settings, "require-second-factor", "alice@example.org")
    assert result.exit_code == 0, result.output
    return await signed_in(app, "alice@example.org")


async def test_who_must_have_a_factor_gets_to_setting_it_up_and_no_further(
    app: Quart, obliged: Client
) -> None:
    """ASVS 6.3.3: every route, those of tomorrow included."""
    allowed = {"fresh_login.confirm", "login.logout"}
    tried = 0
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        is_free = rule.endpoint in allowed or getattr(view, "is_public", False)
        is_free = is_free or rule.endpoint.startswith(
            ("static", "two_factor.", "delete_account.", "export.")
        )
        if is_free or "GET" not in (rule.methods or ()):
            continue
        arguments: dict[str, Any] = dict.fromkeys(rule.arguments, 1)
        arguments |= {"view": "month"} if "view" in arguments else {}
        response = await obliged.get(adapter.build(rule.endpoint, arguments))
        assert response.location == SET_UP, rule
        tried += 1
    assert tried > 4
    page = await text(await obliged.get(SET_UP))
    assert page.count("An administrator requires two-factor authentication") == 1


async def test_who_must_have_a_factor_can_change_nothing_else(app: Quart, obliged: Client) -> None:
    form = {"title": "Dentist", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}
    page = await obliged.post("/appointments/create/", form=form)
    assert page.status_code == 403, "the page that sets it up carries on what was typed"
    assert "Set up two-factor authentication" in await text(page)
    assert await all_rows(app, Appointment) == []
    assert (await obliged.post("/account/devices/sign-out-others/")).location == SET_UP
    script = await obliged.delete("/appointments/1/delete/")
    assert script.status_code == 403
    assert (await script.get_json())["set_up"] == SET_UP


async def test_who_must_have_a_factor_goes_on_once_it_is_set_up(
    app: Quart, obliged: Client
) -> None:
    await enrol(obliged)
    assert await is_signed_in(obliged)
    refused = await obliged.post(TURN_OFF, form={})
    assert refused.location == STATE
    assert (await user_row(app, "alice@example.org")).totp_secret is not None
    assert "can't be turned off" in await text(await obliged.get(STATE))


async def test_who_need_not_have_a_factor_any_more_goes_on_without(
    obliged: Client, settings: dict[str, Any]
) -> None:
    result = await run(settings, "require-second-factor", "alice@example.org", "--off")
    assert result.exit_code == 0, result.output
    assert await is_signed_in(obliged)


async def test_who_must_have_a_factor_can_sign_out(obliged: Client) -> None:
    assert (await obliged.post("/logout/")).location == "/login/"


@pytest.mark.parametrize("how", ["on", "off", "removed", "set-password", "sign-out", "deactivate"])
async def test_what_takes_trust_away_forgets_the_devices(app: Quart, alice: User, how: str) -> None:
    """A browser that is known has tries of its own, which nobody else should keep."""
    if how in ("off", "removed"):
        await enrolled(app, "alice@example.org")
    async with app.app_context(), begin() as db:
        db.add(KnownBrowser(user_id=alice.id, token_hash="0" * 64))
    if how == "on":
        await enrolled(app, "alice@example.org")
    elif how == "off":
        owner = await signed_in(app, "alice@example.org")
        assert (await owner.post(TURN_OFF, form={})).status_code == 303
    else:
        async with app.app_context():
            await BY_OTHERS[how]()
    async with app.app_context(), reading() as db:
        assert list(await db.scalars(select(KnownBrowser.id))) == []


async def test_a_code_counts_for_the_sign_in_that_its_page_belongs_to(
    app: Quart, client: QuartClient, alice: User, mallory: User
) -> None:
    """Two people get to the second step in one browser, and then the first gives the code."""
    phone, _ = await enrolled(app, alice.email)
    await enrolled(app, mallory.email)
    pages = []
    for who in (ALICE, MALLORY):
        await give_password(client, *who)
        pages.append(await hidden_fields(await client.get(STEP)))
    response = await client.post(STEP, form=pages[0] | {"code": phone.code(30)})
    assert response.status_code == 303
    assert "Alice" in await text(await client.get("/appointments/"))
