"""An appointment book for your own server.

``hypercorn sched_async:app`` serves it; tests and scripts make their own with
``sched_async.app.create_app(settings)``.  Making an app touches neither disk nor
network: the data folder, the secret key and the database come at start-up.
"""

import gc
import sys

# Nothing that importing makes is garbage, and looking for some takes a third of the start.
was_enabled = gc.isenabled()
gc.disable()

from .app import create_app  # noqa: E402
from .config import SettingError  # noqa: E402

gc.freeze()
if was_enabled:
    gc.enable()

try:
    app = create_app()
except SettingError as error:
    sys.exit(f"sched_async: {error}")
