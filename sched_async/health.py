"""For monitoring: is the server alive, and can it work?"""

from quart import Blueprint, Quart, jsonify
from quart.typing import ResponseReturnValue
from sqlalchemy import text

from .accounts.sessions import public
from .database import db

blueprint = Blueprint("health", __name__, url_prefix="/health")


def init_app(app: Quart) -> None:
    app.register_blueprint(blueprint)


@blueprint.route("/live")
@public
async def live() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="OK")


@blueprint.route("/ready")
@public
async def ready() -> ResponseReturnValue:
    """The database responds; if it does not, this is a 503 like any other page."""
    await db.execute(text("SELECT 1"))
    return jsonify(status="OK")
