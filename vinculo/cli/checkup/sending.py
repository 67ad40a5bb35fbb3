"""Sending: the connectors, in whose name we send, and what waits for a person."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa

from vinculo import db as database
from vinculo import ledger, traffic
from vinculo.db.tables import control
from vinculo.errors import Finding, UsageError, VinculoError
from vinculo.ledger.row import D
from vinculo.ledger.row import waiting as waiting_row
from vinculo.mail.domain import Ask, Identity, check_identity
from vinculo.mail.endpoint import Endpoint
from vinculo.mail.header import domain_of
from vinculo.project.settings import section_of
from vinculo.runtime import Runtime

#: `deliver` runs every five minutes: what has been due for longer than this waits for something else.
OVERDUE = timedelta(minutes=30)


def connectors(rt: Runtime) -> Iterator[Finding]:
    for channel, target in rt.project.settings.channels.items():
        name, section = f"channel {channel}", section_of(target)
        try:
            obstacles = rt.connector(channel).check()
        except VinculoError as error:
            yield Finding("fail", name, error.message, error.remedy)
        except Exception as error:  # noqa: BLE001 - a connector is not ours; the other checks must go on
            yield Finding("fail", name, f"{target} broke: {error!r}", "That is a bug in the connector.")
        else:
            yield from (
                Finding("fail", name, words, f"Mend [{section}] in vinculo.toml, or start what it leads to.")
                for words in obstacles
            )
            if not obstacles:
                yield Finding("ok", name, f"{target} is ready{_again(rt, channel)}")
    if not rt.project.settings.channels:
        yield Finding("fail", "channels", "no channel has a connector", "Name them under [channels] in vinculo.toml.")


def _again(rt: Runtime, channel: str) -> str:
    """For how long a provider that dedupes must know our keys: what is in doubt is sent again until it expires."""
    longest = max((one.expires for one in rt.project.campaigns.values() if channel in one.channels), default=None)
    if not rt.connector(channel).can.idempotent or longest is None:
        return ""
    hours = f"{longest / timedelta(hours=1):,.0f} hours"
    return f"; what is in doubt is sent again for up to {hours}: the provider must know our keys for as long"


def dkim_key(rt: Runtime) -> Iterator[Finding]:
    """The keys that we sign with: readable by us, and by nobody else."""
    settings = rt.project.settings
    try:
        keys = settings.dkim_keys()
    except VinculoError as error:
        yield Finding("fail", "DKIM key", error.message, error.remedy)
        return
    path = rt.project.root / settings.dkim.key_file
    if keys and not settings.dkim.key and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("warn", "DKIM key", f"{path} can be read by others", f"Run `chmod 600 {path}`.")
    elif keys:
        yield Finding("ok", "DKIM key", f"e-mail is signed with {' and '.join(key.place for key in keys)}")


def sender_domain(rt: Runtime, ask: Ask) -> Iterator[Finding]:
    """The records of the domains that we send and listen with."""
    settings = rt.project.settings
    if "email" not in settings.channels:
        return
    company = settings.company
    addresses = (company.sender_email, company.bounce_email, company.reply_email)
    sender, bounce, reply = (domain_of(address).lower() for address in addresses)
    try:
        identity = Identity(sender, bounce, reply, settings.dkim_keys(), _greeting(rt))
    except VinculoError:  # the key's own line says why; that we do not sign would be wrong
        unsigned = Identity(sender, bounce, reply, helo=_greeting(rt))
        yield from (finding for finding in check_identity(unsigned, ask) if finding.check != "DKIM")
    else:
        yield from check_identity(identity, ask)


def _greeting(rt: Runtime) -> str:
    """The name that the e-mail connector greets with, where its URL says one."""
    _, options = rt.project.settings.connector("email")
    try:
        return Endpoint.from_url(str(options.get("url", ""))).helo
    except UsageError:
        return ""


def waiting(rt: Runtime) -> Iterator[Finding]:
    """What waits for a person, or for a run that does not come."""
    try:
        database.require(rt.engine)
    except VinculoError:
        return
    late = sa.select(sa.func.count()).where(waiting_row(), D.due_at < rt.now() - OVERDUE, D.expires_at > rt.now())
    paused = sa.select(control.c.campaign)
    with rt.read() as db:
        doubts = len(ledger.in_doubt(db))
        overdue = db.scalar(late.where(D.campaign.not_in(paused))) or 0
    if doubts:
        words = (
            f"{doubts:,} {'delivery is' if doubts == 1 else 'deliveries are'} in doubt: handed over, no valid answer"
        )
        yield Finding("warn", "in doubt", words, "`vinculo resolve` lists them and says how to settle them.")
    if overdue:
        words = f"{overdue:,} {'delivery has' if overdue == 1 else 'deliveries have'} been due for over 30 minutes"
        yield Finding("warn", "overdue", words, "Does the deployment `deliver` run, and its channel answer?")


def stopped(rt: Runtime) -> Iterator[Finding]:
    """Campaigns that a person or a breaker has paused, and channels or mail domains that rest for a while."""
    try:
        database.require(rt.engine)
    except VinculoError:
        return
    with rt.read() as db:
        rows = db.execute(sa.select(control).where(control.c.state == "paused").order_by(control.c.at)).all()
        resting = [limit for limit in traffic.limits(db, rt.project, rt.now()) if limit.until]
    for row in rows:
        words = f"{row.campaign} is paused since {row.at:%Y-%m-%d %H:%M} UTC" + (
            f": {row.reason}" if row.reason else ""
        )
        yield Finding("warn", "paused", words, f"`vinculo resume {row.campaign}` when it shall go on.")
    for limit in resting:
        words = f"nothing leaves for {limit.name} until {limit.until:%Y-%m-%d %H:%M} UTC" + (
            f": {limit.reason}" if limit.reason else ""
        )
        yield Finding("warn", "resting", words, "It goes on by itself; `vinculo limits` shows and clears it.")
