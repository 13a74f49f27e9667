"""`GET /` and `GET /dashboard/{file}`: the page and what it is made of, read once, the same for everybody."""

import gzip
import hashlib
from functools import cached_property
from importlib.resources import files

from aiohttp import web

from gateway.web import Guard, problem

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The Content-Security-Policy of the page: what this server serves, and no text that would become a program."""
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
}
_INDEX = "index.html"


class _File:
    """One file of the page."""

    def __init__(self, name: str, body: bytes) -> None:
        self.body = body
        self.tag = hashlib.sha256(body).hexdigest()[:20]
        self.headers = {**_HEADERS, "Content-Type": _TYPES[name.rpartition(".")[2]], "ETag": f'W/"{self.tag}"'}

    @cached_property
    def packed(self) -> bytes:
        """The body compressed, once somebody asks for it: to compress all at every start cost a third of a start."""
        return gzip.compress(self.body, mtime=0)


class Page:
    """Serves the page. No key is needed for it: it says nothing of this gateway until somebody has signed in."""

    def __init__(self, guard: Guard) -> None:
        """Turn away, by GUARD, pages of other sites; raises nothing: the files are part of the package."""
        self._guard = guard
        folder = files("gateway.monitor.dashboard") / "static"
        self._files = {entry.name: _File(entry.name, entry.read_bytes()) for entry in folder.iterdir()}

    async def index(self, request: web.Request) -> web.Response:
        """Answer `/`."""
        return self._answer(request, self._files[_INDEX])

    async def file(self, request: web.Request) -> web.Response:
        """Answer `/dashboard/{file}`; 404 for what is no part of the page."""
        found = self._files.get(request.match_info["file"])
        if found is None:
            return problem(404, "not_found", "there is no such file")
        return self._answer(request, found)

    def _answer(self, request: web.Request, file: _File) -> web.Response:
        if (stranger := self._guard.from_elsewhere(request)) is not None:
            return stranger
        known = request.if_none_match or ()
        if any(tag.value == file.tag for tag in known):
            return web.Response(status=304, headers={**_HEADERS, "ETag": f'W/"{file.tag}"'})
        response = web.Response(body=file.body, headers=file.headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.body = file.packed
            response.headers["Content-Encoding"] = "gzip"
        return response
