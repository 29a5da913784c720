"""What stands between the network and the views."""

from quart import Quart

from . import csrf, guard, throttle


def init_app(app: Quart) -> None:
    guard.init_app(app)
    csrf.init_app(app)
    throttle.init_app(app)
