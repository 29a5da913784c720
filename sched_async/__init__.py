"""An appointment book for your own server.

``hypercorn sched_async:app`` serves it; tests and scripts make their own with
``sched_async.app.create_app(settings)``.  Making an app touches neither disk nor
network: the data folder, the secret key and the database come at start-up.
"""

import sys

from .app import create_app
from .config import SettingError

try:
    app = create_app()
except SettingError as error:
    sys.exit(f"sched_async: {error}")
