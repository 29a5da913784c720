"""Our own CSS, script and icon, which browsers may keep for a year.

The address of each carries a hash of its content, so a new version is a new address.
"""

import hashlib
from pathlib import Path
from typing import Any

from quart import Quart

YEAR = 365 * 24 * 60 * 60  # seconds


def init_app(app: Quart) -> None:
    folder = Path(str(app.static_folder))
    versions = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in folder.rglob("*")
        if path.is_file()
    }
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and values.get("filename") in versions:
            values["v"] = versions[values["filename"]]
