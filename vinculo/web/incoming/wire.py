"""Openings and clicks answered straight from the parser: no request, no task, no middleware for each.

What is plain in every respect is kept and answered here as `track` would: a GET or HEAD of one of its paths, with
tokens of ours, and no body. Everything else, and whatever could not be kept, goes the way of all requests; so the
server's own protocol is what this is where nothing is asked for that it knows. It needs httptools (the extra `fast`).
"""

from __future__ import annotations

from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from vinculo.feedback import Glance, Hit
from vinculo.web.incoming.track import FAILED, Answer, Headers, Tracked, asked
from vinculo.web.place import Place

#: A request with one of these has a body, or wants another protocol.
_MORE = frozenset({b"content-length", b"transfer-encoding", b"upgrade", b"expect"})
#: Whom a proxy asks for.
_PROXIED = b"x-forwarded-for"


class Waiting:
    """Stands where a request would while one is kept, for what the protocol asks of it."""

    def __init__(self) -> None:
        self.response_complete, self.keep_alive, self.disconnected, self.more_body = True, True, False, False
        self.message_event = self

    def set(self) -> None:
        """Nobody waits for its body."""


class Wire(HttpToolsProtocol):
    """A connection to the web app (`Tracked`)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tracked: Tracked = self.config.app  # type: ignore[assignment]
        self.hit = Waiting()

    def on_headers_complete(self) -> None:
        """Keep what is asked for, if that is all there is to it."""
        # Whoever does not read its answers waits as for any other: they would be heaped up here.
        waits = self.flow.write_paused or not (self.cycle is None or self.cycle.response_complete)
        given = None if waits else self._asked()
        if given is None:
            super().on_headers_complete()
            return
        scope, hit = self.scope, self.hit
        hit.response_complete = False
        hit.keep_alive = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
        self.cycle: Any = hit
        here: Place = self.tracked.state.place
        here.writer.put(given, lambda leads: self._told(scope, given, leads))

    def _asked(self) -> Hit | Glance | None:
        url = self.url
        if url[:3] not in (b"/o/", b"/c/") or b"%" in url or b"?" in url or not url.isascii():
            return None
        method, names = self.parser.get_method(), {name for name, _ in self.headers}
        if method not in (b"GET", b"HEAD") or not _MORE.isdisjoint(names):
            return None
        self.scope["method"] = method.decode("ascii")
        ip = self._ip() if _PROXIED in names else self.client[0] if self.client else ""
        return asked(self.tracked.state.place, url.decode("ascii"), self.scope["method"], ip, self.headers)

    def _ip(self) -> str:
        """Who asks, behind whatever proxy we trust."""
        ip, before = self.client[0] if self.client else "", [value for name, value in self.headers if name == _PROXIED]
        if isinstance(self.app, ProxyHeadersMiddleware) and ip in self.app.trusted_hosts:
            return self.app.trusted_hosts.get_trusted_client_address(b", ".join(before).decode("latin-1"))[0] or ip
        return ip

    def _told(self, scope: Any, given: Hit | Glance, leads: str | Exception) -> None:
        self.hit.response_complete = True
        if self.transport.is_closing():
            return
        if isinstance(leads, Exception):
            self._fail(scope, leads)
            return
        keep, method, default = self.hit.keep_alive, scope["method"], self.server_state.default_headers
        answer = self.tracked.answer(given, leads)
        if answer is self.tracked.pixel and keep and method == "GET":
            self.transport.write(self._image(default))
        else:
            self.transport.write(spelled(answer, default, method, keep=keep))
        if not keep:
            self.transport.close()
        self.on_response_complete()

    def _image(self, default: Headers) -> bytes:
        """The image as it goes over the wire: the same until the server's own headers change, once a second."""
        image = self.tracked.image
        if image is None or image[0] is not default:
            image = self.tracked.image = default, spelled(self.tracked.pixel, default, "GET", keep=True)
        return image[1]

    def _fail(self, scope: Any, error: Exception) -> None:
        """Let the app say that it could not be kept."""
        if scope is not self.scope or self.pipeline:  # more was asked for meanwhile, without waiting for the answer
            self.transport.close()
            return
        self.scope[FAILED] = error
        super().on_headers_complete()
        super().on_message_complete()
        self.cycle.keep_alive = self.hit.keep_alive  # the parser has forgotten what was asked for


def spelled(answer: Answer, default: Headers, method: str, *, keep: bool) -> bytes:
    """Return *answer* as it goes over the wire, with the server's own headers."""
    status, headers, body = answer
    lines = [b"%b: %b\r\n" % each for each in (*default, *headers)]
    lines.append(b"\r\n" if keep else b"connection: close\r\n\r\n")
    return b"".join([STATUS_LINE[status], *lines, body if method == "GET" else b""])
