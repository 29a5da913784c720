"""Our own CSS, script and icon, which browsers may keep for a year.

The address of each carries a hash of its content, so a new version is a new address.

They go out compressed, since they hold no secret.  Pages do not: whoever can put words into
one and see its length could learn what else is in it.
"""

import gzip
import hashlib
from pathlib import Path
from typing import Any

from quart import Quart, Response, request

YEAR = 365 * 24 * 60 * 60  # seconds


def init_app(app: Quart) -> None:
    folder = Path(str(app.static_folder))
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    versions = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in files.items()}
    packed = {name: gzip.compress(content, mtime=0) for name, content in files.items()}
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and values.get("filename") in versions:
            values["v"] = versions[values["filename"]]

    @app.after_request
    async def compress(response: Response) -> Response:
        name = (request.view_args or {}).get("filename")
        if request.endpoint == "static" and name in packed:
            response.vary.update(["Accept-Encoding", "Cookie"])
            if request.accept_encodings["gzip"] and response.status_code in (200, 304):
                _use(response, packed[name])
        return response


def _use(response: Response, packed: bytes) -> None:
    """The same file in another form, which its ETag has to tell."""
    response.set_etag(response.get_etag()[0] or "", weak=True)
    if response.status_code == 200:
        response.set_data(packed)
        response.content_encoding = "gzip"
        response.headers.pop("Accept-Ranges", None)
