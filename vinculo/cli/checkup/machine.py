"""The machine: the secret key, the clock and its zones, room on the disks."""

from __future__ import annotations

import shutil
import stat
import zoneinfo
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

import sqlalchemy as sa

from vinculo import consent
from vinculo import db as database
from vinculo.db.migration import file_of
from vinculo.db.tables import address, delivery, occurrence
from vinculo.errors import Finding, VinculoError
from vinculo.project.settings import SECRET_FILE
from vinculo.runtime import Runtime

#: Free space on the disk below which we warn, and below which nothing should be sent, in bytes.
LITTLE, TOO_LITTLE = 1_000_000_000, 100_000_000
#: How far two clocks may differ: leases and signed webhooks allow for more, people wonder at less.
SKEW = timedelta(seconds=5)
#: Countries change their clocks with little notice: rules older than this, in years, send at the wrong hour somewhere.
_OLD_ZONES = 2


def secret(rt: Runtime) -> Iterator[Finding]:
    try:
        rt.signer  # noqa: B018 - it is made, and refuses a weak key, when it is first asked for
    except VinculoError as error:
        yield Finding("fail", "secret key", error.message, error.remedy)
        return
    if _is_another(rt):
        remedy = "Name the key before it in VINCULO__SECRET_KEY_OLD, or bring var/secret.key back from the backup."
        yield Finding("fail", "secret key", "it is not the one that addresses here are hashed with", remedy)
        return
    origin = next(one.origin for one in rt.project.settings.origins() if one.key == "secret_key")
    path = rt.project.root / SECRET_FILE
    if origin == SECRET_FILE and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("warn", "secret key", f"{path} can be read by others", f"Run `chmod 600 {path}`.")
    else:
        yield Finding("ok", "secret key", f"there, from {origin}")


def _is_another(rt: Runtime) -> bool:
    """Whether the addresses were hashed with a key that is not known: a suppressed one would not be known again."""
    try:
        database.require(rt.engine)
    except VinculoError:
        return False  # the database's own line says why
    with rt.read() as db:
        one = db.execute(sa.select(address).order_by(address.c.contact_id).limit(1)).first()
    return one is not None and consent.address_hash(rt.signer, one.channel, one.value) != one.hash


def files(rt: Runtime) -> Iterator[Finding]:
    """Whether the files of the plan can be used: what is wrong in one on which others rest stops every send."""
    if problems := rt.project.obstacles or rt.project.problems:
        words = f"{problems[0].file}: {problems[0].message}" + (f"; {len(problems) - 1} more" if problems[1:] else "")
        what = "nothing is sent" if rt.project.obstacles else "without this file"
        yield Finding("wrong", "plan", f"{what}: {words}", "Mend what `vinculo check` tells.")
    else:
        yield Finding("ok", "plan", "its files can be read")


def clock(rt: Runtime) -> Iterator[Finding]:
    """A clock that was set back takes what was sent for the future: leases and caps go wrong."""
    now = rt.now()
    try:
        database.require(rt.engine)
        with rt.read() as db:
            marks = [db.scalar(sa.select(sa.func.max(c))) for c in (occurrence.c.planned_at, delivery.c.submitted_at)]
            server = _server_time(db)
    except VinculoError:
        return  # the database's own line says why
    latest = max((mark for mark in marks if mark), default=now)
    if latest > now + SKEW:
        message = f"it is {now:%Y-%m-%d %H:%M:%S} UTC here, but the ledger has work of {latest:%Y-%m-%d %H:%M:%S}"
        yield Finding("fail", "clock", message, "Set the clock (NTP) before anything is sent.")
    elif server and abs(server - now) > SKEW:
        message = f"the database's clock differs by {abs(server - now).total_seconds():.0f} s"
        yield Finding("warn", "clock", message, "Let both machines keep time by NTP.")
    else:
        yield Finding("ok", "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _server_time(db: sa.Connection) -> datetime | None:
    if db.dialect.name != "postgresql":
        return None
    time: datetime | None = db.scalar(sa.text("SELECT clock_timestamp()"))
    return time


def zones(rt: Runtime) -> Iterator[Finding]:
    """The rules by which local times become instants."""
    version = _zone_version()
    if version[:4].isdecimal() and rt.now().year - int(version[:4]) < _OLD_ZONES:
        yield Finding("ok", "time zones", f"rules of {version}")
    else:
        words = f"the rules are of {version or 'an unknown year'}: some countries have changed their clocks since"
        yield Finding("warn", "time zones", words, "Update the system's tzdata, or Python's package `tzdata`.")


def _zone_version() -> str:
    """The version of the rules that Python reads, like 2026b: the system's, else the package's."""
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "UTC").exists():
            return _version_in(folder)
    return metadata.version("tzdata")


def _version_in(folder: Path) -> str:
    """Debian and most others lay tzdata.zi, whose first line is `# version 2026b`; some lay +VERSION."""
    for name in ("tzdata.zi", "+VERSION"):
        if (folder / name).is_file():
            with (folder / name).open(encoding="utf-8") as file:
                return file.readline().removeprefix("# version").strip()
    return ""


def disk(rt: Runtime) -> Iterator[Finding]:
    """Room where the database, the logs and written messages are: each disk once."""
    file, options = file_of(rt.engine), rt.project.settings.options
    outboxes = [rt.project.settings.web.outbox, *(str(each.get("folder", "")) for each in options.values())]
    folders = [rt.project.root, rt.project.root / "var", *([file.parent] if file else [])]
    folders += [rt.project.root / outbox for outbox in outboxes if outbox]
    disks = {folder.stat().st_dev: folder for folder in reversed(folders) if folder.is_dir()}
    for folder in sorted(disks.values()):
        yield space(folder, shutil.disk_usage(folder).free)


def space(folder: Path, free: int) -> Finding:
    words = f"{free / 1e9:,.1f} GB free at {folder}"
    if free < TOO_LITTLE:
        return Finding("fail", "disk", words, "Make room: a full disk stops all sending.")
    return Finding("warn", "disk", words, "Make room soon.") if free < LITTLE else Finding("ok", "disk", words)
