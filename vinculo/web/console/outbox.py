"""The outbox: messages in a folder, as the outbox connector and the demo's catcher keep them, .eml and .json."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from vinculo.web.console.frame import render, whole
from vinculo.web.contact.choice import MESSAGE_POLICY
from vinculo.web.place import Place, place

LINES = 50
#: The largest file that is shown, in bytes.
LARGEST = 5_000_000
_KINDS = frozenset({".eml", ".json"})
_NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@dataclass(frozen=True, slots=True)
class Kept:
    """A message in the folder. *text*, *html* and *headers* are empty in a list."""

    name: str
    at: datetime
    channel: str
    to: str
    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()


async def index(request: Request) -> Response:
    """What is in the folder, newest first."""
    here = place(request)
    first = whole(request, "from", 0, 0, 1_000_000)
    total, rows = await here.off_loop(_listed, here, first)
    folder = here.project.settings.web.outbox
    return render(
        request, "outbox.html", here="outbox", folder=folder, rows=rows, first=first, total=total, lines=LINES
    )


async def page(request: Request) -> Response:
    """One message: at two widths, as text, its headers."""
    here = place(request)
    kept = await here.off_loop(lambda: _read(_path(here, request)))
    return render(request, "message.html", here="outbox", message=kept)


async def frame(request: Request) -> Response:
    """The message's HTML, for a frame: nothing in it runs, and looking at it here is no opening."""
    here = place(request)
    kept = await here.off_loop(lambda: _read(_path(here, request)))
    if not kept.html:
        raise HTTPException(404)
    pixel = re.compile(re.escape(here.project.settings.web.url.rstrip("/")) + r"/o/[\w-]+\.gif")
    html = '<base target="_blank">' + pixel.sub(_NOTHING, kept.html)
    return HTMLResponse(html, headers={"Content-Security-Policy": MESSAGE_POLICY})


async def source(request: Request) -> Response:
    """The file as it is."""
    here = place(request)
    content = await here.off_loop(lambda: _content(_path(here, request)))
    return PlainTextResponse(content.decode("utf-8", "replace"), headers={"Content-Security-Policy": "sandbox"})


# ── the folder ───────────────────────────────────────────────────────────────────────────────────────────────────
def _folder(here: Place) -> Path | None:
    named = here.project.settings.web.outbox
    return here.project.root / named if named else None


def _files(here: Place) -> list[Path]:
    """The messages in the folder, newest first; what another hand takes away meanwhile is not there."""
    folder, dated = _folder(here), []
    if folder is None or not folder.is_dir():
        return []
    for path in folder.iterdir():
        if path.suffix in _KINDS and not path.name.startswith("."):
            try:
                dated.append((path.stat().st_mtime_ns, path.name, path))
            except OSError:
                continue
    return [path for _, _, path in sorted(dated, reverse=True)]


def _path(here: Place, request: Request) -> Path:
    """The file that the URL names. It must be one of the folder's own: no way leads out of it."""
    folder, name = _folder(here), str(request.path_params["name"])
    path = folder / name if folder and Path(name).name == name and Path(name).suffix in _KINDS else None
    if path is None or path.is_symlink() or not path.is_file():
        raise HTTPException(404)
    return path


def _listed(here: Place, first: int) -> tuple[int, list[Kept]]:
    files = _files(here)
    rows = []
    for path in files[first : first + LINES]:
        try:
            rows.append(_read(path, body=False))
        except (HTTPException, OSError):  # too large, or gone meanwhile
            continue
    return len(files), rows


# ── a file ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise HTTPException(413)
    return path.read_bytes()


def _read(path: Path, *, body: bool = True) -> Kept:
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    content = _content(path)
    return _mail(path.name, at, content, body=body) if path.suffix == ".eml" else _json(path.name, at, content)


def _mail(name: str, at: datetime, content: bytes, *, body: bool) -> Kept:
    parsed: Any = (
        message_from_bytes(content, policy=policy.default)
        if body
        else BytesHeaderParser(policy=policy.default).parsebytes(content)
    )
    return Kept(
        name,
        at,
        "email",
        str(parsed["To"] or ""),
        str(parsed["From"] or ""),
        str(parsed["Subject"] or ""),
        _part(parsed, "plain") if body else "",
        _part(parsed, "html") if body else "",
        tuple((key, str(value)) for key, value in parsed.items()) if body else (),
    )


def _part(parsed: EmailMessage, kind: str) -> str:
    found = parsed.get_body((kind,))
    if found is None:
        return ""
    try:
        return str(found.get_content())
    except (LookupError, ValueError):  # a charset that nobody knows
        return bytes(found.get_payload(decode=True) or b"").decode("utf-8", "replace")


def _json(name: str, at: datetime, content: bytes) -> Kept:
    try:
        said = json.loads(content)
    except ValueError:
        said = {}
    fields = {key: str(value) for key, value in said.items()} if isinstance(said, dict) else {}
    text = fields.get("text", "")
    headers = tuple((key, value) for key, value in fields.items() if key != "text")
    return Kept(
        name, at, fields.get("channel", ""), fields.get("to", ""), fields.get("from", ""), text[:90], text, "", headers
    )
