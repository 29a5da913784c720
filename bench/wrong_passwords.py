"""How long a wrong password takes, by the kinds of hashes that accounts have.

python -m bench.wrong_passwords
"""

import time

from werkzeug.security import generate_password_hash

from bench.figures import percentiles
from sched_async.accounts.passwords import hasher, kind_of, verify

PASSWORD = "seven quiet otters in the rain"
TIMES = 9
TODAYS = hasher.hash(PASSWORD)
OLDER = [
    generate_password_hash(PASSWORD, method)
    for method in ("pbkdf2:sha256:1000", "pbkdf2:sha256:260000", "scrypt", "pbkdf2:sha256:1000000")
]


def timed(kept: str | None, kinds: set[str]) -> float:
    started = time.perf_counter()
    assert not verify(kept, "not this one", kinds)
    return time.perf_counter() - started


def main() -> None:
    for older in (None, *OLDER):
        accounts = {"nobody's": None, "today's": TODAYS} | ({"older": older} if older else {})
        kinds = {kind_of(kept) for kept in accounts.values() if kept}
        print(f"Besides today's kind: {kind_of(older) if older else 'none'}")
        for whose, kept in accounts.items():
            print(f"  {whose:10}", percentiles([timed(kept, kinds) for _ in range(TIMES)]))


if __name__ == "__main__":
    main()
