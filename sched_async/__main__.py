"""``sched-async``, and ``python -m sched_async``."""

from quart.cli import ScriptInfo

from . import cli
from .app import create_app


def main() -> None:
    cli.main(obj=ScriptInfo(create_app=create_app))


if __name__ == "__main__":
    main()
