"""Every setting: what it takes, what it refuses, and in which words."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sched_async.app import create_app
from sched_async.config import RETIRED, SETTINGS, SettingError, load, retired

from .conftest import SECRET_KEY
from .servers import ROOT, free_port

OTHER_KEY = "nB5-xK8_sT2-vM7_pF4-dW9_yH3-qJ6_"
Given = Callable[[str, str], Any]
NAMES = [setting.name for setting in SETTINGS]
ADDRESS = "must look like https://sched.example.org"
NO_PATH = "must be a scheme and a host, without a path"
DRIVER = "must begin with sqlite+aiosqlite:// or postgresql+asyncpg://"
NO_MEMORY = "must name a file, since a database in memory forgets everything"
NO_DATABASE = "is not a database URL"
SHORT = "must be at least 32 random characters"
EXAMPLE = "looks like an example; use random characters"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have settings of their own."""
    for name in [name for name in os.environ if name.startswith("SCHED_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["environment", "mapping"])
def given(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Given:
    """Reads one setting, given in either of the two ways."""

    def read(name: str, value: str) -> Any:
        if request.param == "mapping":
            return load({name: value})[name]
        monkeypatch.setenv(f"SCHED_{name}", value)
        return load()[name]

    return read


# What each takes


def test_without_any_setting_there_is_an_app_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load()
    assert config["DATA_DIR"] == tmp_path / "instance"
    assert config["DATABASE_URL"].drivername == "sqlite+aiosqlite"
    assert config["DATABASE_URL"].database == str(tmp_path / "instance" / "sched.db")
    assert str(config["PUBLIC_URL"]) == "http://localhost:8000"
    assert config["TRUSTED_PROXIES"] == 0
    assert config["HASH_THREADS"] >= 1
    assert config["SECRET_KEY"] is None
    assert str(create_app().config["DATA_DIR"]) == str(config["DATA_DIR"])
    assert list(tmp_path.iterdir()) == [], "making an app touches nothing"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATA_DIR", "/srv/sched", Path("/srv/sched")),
        ("DATA_DIR", "there", ROOT / "there"),
        ("DATABASE_URL", "sqlite+aiosqlite:////srv/a.db", "sqlite+aiosqlite:////srv/a.db"),
        (
            "DATABASE_URL",
            "postgresql+asyncpg://u@/sched?host=a:1&host=b:2",
            "postgresql+asyncpg://u@/sched?host=a%3A1&host=b%3A2",
        ),
        ("SECRET_KEY", SECRET_KEY, SECRET_KEY),
        ("SECRET_KEY", "0123456789abcdef" * 2, "0123456789abcdef" * 2),
        ("SECRET_KEY_FALLBACKS", SECRET_KEY, [SECRET_KEY]),
        ("SECRET_KEY_FALLBACKS", f"{SECRET_KEY},{OTHER_KEY},", [SECRET_KEY, OTHER_KEY]),
        ("PUBLIC_URL", "https://sched.example.org", "https://sched.example.org"),
        ("PUBLIC_URL", "HTTPS://Sched.Example.ORG/", "https://sched.example.org"),
        ("PUBLIC_URL", "https://sched.example.org:443", "https://sched.example.org"),
        ("PUBLIC_URL", "https://sched.example.org:8443/", "https://sched.example.org:8443"),
        ("PUBLIC_URL", "http://192.0.2.7:80", "http://192.0.2.7"),
        ("PUBLIC_URL", "http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
        (
            "PUBLIC_URL",
            "https://Münchner-Straße.example",
            "https://xn--mnchner-strae-mdb73b.example",
        ),
        ("PUBLIC_URL", "http://my_nas:8000", "http://my_nas:8000"),
        ("PUBLIC_URL", "http://büro_nas.日本", "http://xn--bro_nas-n2a.xn--wgv71a"),
        ("MAIL_URL", "smtp://post.münchen.example", "smtp://post.xn--mnchen-3ya.example:25"),
        ("TRUSTED_PROXIES", "0", 0),
        ("TRUSTED_PROXIES", "9", 9),
        ("HASH_THREADS", "64", 64),
        ("HSTS", "Subdomains", "subdomains"),
    ],
)
def test_a_good_value_is_taken(
    given: Given, monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any
) -> None:
    monkeypatch.chdir(ROOT)
    found = given(name, text)
    assert found == value if not isinstance(value, str) else str(found) == value


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_value_is_the_default(
    given: Given, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As in a file of settings in which not every line is filled in."""
    monkeypatch.chdir(ROOT)
    assert given(name, "") == load()[name]


def test_what_create_app_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHED_HASH_THREADS", "7")
    assert load()["HASH_THREADS"] == 7
    assert create_app({"HASH_THREADS": 8}).config["HASH_THREADS"] == 8
    assert create_app({"HASH_THREADS": None}).config["HASH_THREADS"] == 7


def test_fallback_keys_may_be_given_as_a_list() -> None:
    assert load({"SECRET_KEY_FALLBACKS": [SECRET_KEY, OTHER_KEY]})["SECRET_KEY_FALLBACKS"] == [
        SECRET_KEY,
        OTHER_KEY,
    ]


def test_other_keys_pass_through_to_quart() -> None:
    assert create_app({"EXPLAIN_TEMPLATE_LOADING": True}).config["EXPLAIN_TEMPLATE_LOADING"]


@pytest.mark.parametrize(
    ("url", "https", "loopback"),
    [
        ("http://127.0.0.1:8000", False, True),
        ("http://127.9.9.9", False, True),
        ("http://localhost", False, True),
        ("https://[::1]:8443", True, True),
        ("https://sched.example.org", True, False),
        ("http://localhost.example.org", False, False),
        ("http://10.0.0.1", False, False),
        ("http://[2001:db8::1]", False, False),
    ],
)
def test_the_public_address_knows_whether_it_is_this_machines(
    url: str, https: bool, loopback: bool
) -> None:
    public_url = load({"PUBLIC_URL": url})["PUBLIC_URL"]
    assert (public_url.is_https, public_url.is_loopback) == (https, loopback)


# What each refuses

WRONG = [
    ("DATABASE_URL", "sched.db", NO_DATABASE),
    ("DATABASE_URL", "mysql://sched@localhost/sched", DRIVER),
    ("DATABASE_URL", "sqlite:///sched.db", DRIVER),
    ("DATABASE_URL", "postgresql://localhost/sched", DRIVER),
    ("DATABASE_URL", "sqlite+aiosqlite://", NO_MEMORY),
    ("DATABASE_URL", "sqlite+aiosqlite:///:memory:", NO_MEMORY),
    # A colon too many, and what follows is a password:
    ("DATABASE_URL", "postgresql+asyncpg://sched:hunter2hunter2", NO_DATABASE),
    ("SECRET_KEY", "hunter2", SHORT),
    ("SECRET_KEY", "hunter2" * 20, SHORT),
    ("SECRET_KEY", SECRET_KEY[:31], SHORT),
    ("SECRET_KEY", "x" * 64, SHORT),
    ("SECRET_KEY", " " * 40, SHORT),
    ("SECRET_KEY", "changeme-changeme-changeme-hunter2", EXAMPLE),
    ("SECRET_KEY", "an-Example-key-of-many-characters-hunter2", EXAMPLE),
    ("SECRET_KEY", "my-very-SECRET-key-of-many-characters", EXAMPLE),
    ("SECRET_KEY", "development-key-hunter2-0123456789", EXAMPLE),
    ("SECRET_KEY_FALLBACKS", "hunter2", SHORT),
    ("SECRET_KEY_FALLBACKS", f"{SECRET_KEY},hunter2", SHORT),
    ("SECRET_KEY_FALLBACKS", f"{SECRET_KEY}, ", SHORT),
    ("PUBLIC_URL", "sched.example.org", ADDRESS),
    ("PUBLIC_URL", "ftp://sched.example.org", ADDRESS),
    ("PUBLIC_URL", "https://sched.example.org:port", ADDRESS),
    ("PUBLIC_URL", "https://sched.example.org:65536", ADDRESS),
    ("PUBLIC_URL", "https://[::1", ADDRESS),
    ("PUBLIC_URL", "https://", NO_PATH),
    ("PUBLIC_URL", "https://:8000", NO_PATH),
    ("PUBLIC_URL", "https://example.org/sched", NO_PATH),
    ("PUBLIC_URL", "https://example.org/?a", NO_PATH),
    ("PUBLIC_URL", "https://example.org/#a", NO_PATH),
    ("PUBLIC_URL", "https://hunter2@example.org", NO_PATH),
    ("PUBLIC_URL", "https://:hunter2@example.org", NO_PATH),
    # The Host header of no browser can say these:
    ("PUBLIC_URL", "https://exa mple.org", NO_PATH),
    ("PUBLIC_URL", "https://a\u200b.example:x", ADDRESS),
    ("PUBLIC_URL", "https://\ufffd.example", NO_PATH),
    ("TRUSTED_PROXIES", "-1", "must be a whole number from 0 to 9"),
    ("TRUSTED_PROXIES", "10", "must be a whole number from 0 to 9"),
    ("TRUSTED_PROXIES", "one", "must be a whole number from 0 to 9"),
    ("TRUSTED_PROXIES", "1.0", "must be a whole number from 0 to 9"),
    ("HSTS", "yes", "must be one of host, subdomains, off"),
    ("HASH_THREADS", "0", "must be a whole number from 1 to 64"),
    ("HASH_THREADS", "65", "must be a whole number from 1 to 64"),
    ("LOGIN_LIMIT_ADDRESS", "9" * 5000, "must be a whole number from 1 to 1000000"),
]


@pytest.mark.parametrize(
    ("name", "value", "reason"), WRONG, ids=[f"{name} {value[:40]}" for name, value, _ in WRONG]
)
def test_a_wrong_value_is_refused_with_a_sentence_that_does_not_repeat_it(
    given: Given, name: str, value: str, reason: str
) -> None:
    with pytest.raises(SettingError) as refused:
        given(name, value)
    assert str(refused.value) == f"SCHED_{name} {reason}."
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", sorted(RETIRED))
def test_a_name_that_was_a_setting_once_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"SCHED_{name}", "7")
    assert name not in load()
    assert retired() == [f"SCHED_{name}"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SCHED_SECRET", " Did you mean SCHED_SECRET_KEY?"),
        ("SCHED_DATABASE", " Did you mean SCHED_DATABASE_URL?"),
        ("SCHED_PUBLICURL", " Did you mean SCHED_PUBLIC_URL?"),
        ("SCHED_data_dir", ""),
        ("SCHED_COFFEE", ""),
        ("SCHED_PORT", ""),
    ],
)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(SettingError) as refused:
        create_app({"SECRET_KEY": SECRET_KEY})
    assert str(refused.value) == f"{name} is not a setting.{hint}"


@pytest.mark.parametrize("name", ["SCHEDULE", "OTHER_SCHED_KEY", "sched_data_dir"])
def test_other_programs_names_are_theirs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert load()["TRUSTED_PROXIES"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCHED_PUBLIC_URL", "example.org"),
        ("SCHED_SECRET_KEY", "hunter2"),
        ("SCHED_PUBLIC_URI", "https://example.org"),
    ],
)
def test_a_server_with_a_wrong_setting_ends_with_one_line(
    tmp_path: Path, name: str, value: str
) -> None:
    options = ["-c", "hypercorn.toml", "-b", f"127.0.0.1:{free_port()}"]
    ended = subprocess.run(
        [sys.executable, "-m", "hypercorn", *options, "sched_async:app"],
        cwd=ROOT,
        env={"SCHED_DATA_DIR": str(tmp_path / "new"), name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"sched_async: {name} ")
    assert (ended.stdout, ended.stderr.count("\n")) == ("", 1)
    assert "hunter2" not in ended.stderr
    assert not (tmp_path / "new").exists()


def test_every_setting_says_what_it_means() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for setting in SETTINGS:
        assert len(setting.meaning) > 20, setting.name


SERVICES = {
    "SERVICE_HOST": "10.0.171.239",
    "SERVICE_PORT": "8000",
    "SERVICE_PORT_HTTP": "8000",
    "PORT": "tcp://10.0.171.239:8000",
    "PORT_8000_TCP": "tcp://10.0.171.239:8000",
    "PORT_8000_TCP_PROTO": "tcp",
    "PORT_8000_TCP_PORT": "8000",
    "PORT_8000_TCP_ADDR": "10.0.171.239",
    "PORT_53_UDP": "udp://10.0.171.239:53",
}


@pytest.mark.parametrize("service", ["SCHED", "SCHED_ASYNC", "SCHED_MY_DATABASE"])
@pytest.mark.parametrize("name", SERVICES)
def test_what_a_cluster_says_of_a_service_called_sched_is_no_mistake(
    monkeypatch: pytest.MonkeyPatch, service: str, name: str
) -> None:
    monkeypatch.setenv(f"{service}_{name}", SERVICES[name])
    assert str(load()["PUBLIC_URL"]) == "http://localhost:8000"


@pytest.mark.parametrize("value", ["8001", "", "http://nas:8001"])
def test_a_port_that_somebody_means_to_set_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Ignored without a word it would be as bad."""
    monkeypatch.setenv("SCHED_PORT", value)
    with pytest.raises(SettingError, match="SCHED_PORT is not a setting"):
        load()


def test_cookies_of_two_ports_have_two_names() -> None:
    urls = ["http://nas", "http://nas:8000", "http://nas:8001", "https://nas", "https://nas:8001"]
    for cookie in ("SESSION_COOKIE_NAME", "QUART_AUTH_COOKIE_NAME", "DEVICE_COOKIE_NAME"):
        names = [create_app({"PUBLIC_URL": url}).config[cookie] for url in urls]
        assert len(set(names)) == len(urls)
        assert [name.startswith("__Host-") for name in names] == [False] * 3 + [True] * 2
