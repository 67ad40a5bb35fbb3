"""`vinculo contacts`: import, set, show; the other commands of the group are in `twins` and `privacy`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import output
from vinculo.cli.given import FileArgument, KeyArgument, MapOption, pairs
from vinculo.errors import UsageError

if TYPE_CHECKING:
    from vinculo.contacts import Identity, Imported, Options
    from vinculo.history import Interaction
    from vinculo.model import Contact
    from vinculo.runtime import Runtime

_SHOWN = 100
#: So many lines of a file are named.
_NAMED = 20


def register(app: typer.Typer) -> None:
    """Add the group of commands to *app*."""
    from vinculo.cli import privacy, twins

    group = typer.Typer(no_args_is_help=True, help="Who we relate to: import, set, show, merge, export, erase.")
    group.command("import")(import_)
    group.command("set")(set_)
    group.command("show")(show)
    twins.register(group)
    privacy.register(group)
    app.add_typer(group, name="contacts")


def import_(
    file: FileArgument,
    mapping: MapOption = None,
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Import the contacts in FILE: new ones are added, known ones brought up to date, nobody who left comes back."""
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, output.progress(file, show=not as_json) as advance:
        chosen = replace(options(rt), mapping=pairs(mapping), dry_run=dry_run, progress=advance)
        done = contacts.import_file(rt.engine, file, signer=rt.signer, now=rt.now(), options=chosen)
    output.answer(asdict(done), as_json=as_json, text=lambda: _tell_import(done))
    if done.failed:
        raise typer.Exit(1)


def options(rt: Runtime) -> Options:
    """How contacts are read in this project: what a row means that does not say, and what words it may use."""
    from vinculo import contacts

    settings = rt.project.settings
    return contacts.Options(
        country=settings.company.country,
        zone=settings.company.timezone,
        currency=settings.company.currency,
        topics=frozenset(rt.project.policy.topics),
        channels=frozenset(settings.channels),
    )


def set_(
    key: KeyArgument,
    said: Annotated[list[str], typer.Argument(metavar="PLACE=VALUE", help="As in an import: owner=maria trait.size=4")],
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Set what we know of the contact KEY: owner, kind, traits, addresses (named ones first). `owner=` empties it."""
    from vinculo import contacts
    from vinculo.runtime import open_runtime

    values = _said(said)
    with open_runtime(whole=False) as rt, rt.begin() as db:
        number = contacts.require(db, key)
        refused = contacts.amend(db, number, values, signer=rt.signer, now=rt.now(), options=options(rt))
        if dry_run:
            db.rollback()
    left = " The contact had left: that yes was not taken over." if refused else ""
    told = f"#{number} would be changed. {output.UNCHANGED}" if dry_run else f"#{number} is changed.{left}"
    answer = {"contact": number, "set": values, "refused": refused, "dry_run": dry_run}
    output.answer(answer, as_json=as_json, text=lambda: output.line(told))


def _said(given: list[str]) -> dict[str, str]:
    """Read `PLACE=VALUE …`. Raises `UsageError`."""
    split = [each.partition("=") for each in given]
    for place, sign, value in split:
        if not place or not sign:
            raise UsageError(f"`{place or value}` sets nothing", "Write PLACE=VALUE, for example owner=maria.")
    return {place.strip(): value.strip() for place, _, value in split}


def _tell_import(done: Imported) -> None:
    from vinculo import contacts

    output.line(f"{done.file}: {done.read_as}")
    for column, place in done.places.items():
        output.line(f"  {column or '(a column without a name)'} → {place}")
    for column in contacts.unheard(done.places):
        remedy = f"say --map '{column}=consent.TOPIC' if it holds answers, '{column}=trait.NAME' if it does not."
        output.line(f"`{column}` is kept as a trait, and is no consent: {remedy}")
    output.tell_thousands(done.thousands, "trait.")
    words = {
        "new": done.created,
        "brought up to date": done.updated,
        "named more than once": done.repeated,
        "consents not taken over: the contact, or its address, had left": done.refused,
        "wrong": done.failed,
    }
    output.line(output.counted(done.rows, words))
    if done.left:
        output.line(f"{done.left:,} of the wrong rows' contacts say no, which counts already.")
    if done.erased_before:
        output.line(_told_erased(done.erased_before))
    output.tell_errors(done.failed, done.errors_file, dry_run=done.dry_run)


def _told_erased(lines: Sequence[int]) -> str:
    more = f" and {len(lines) - _NAMED:,} more" if len(lines) > _NAMED else ""
    named = ", ".join(map(str, lines[:_NAMED]))
    return (
        f"Rows with an address of somebody who was erased: {len(lines):,} (lines {named}{more}). The address stays "
        "suppressed: erase the contact again, unless the person came back, and take the row out of the file's source."
    )


def show(key: KeyArgument, as_json: output.JsonFlag = False) -> None:
    """Show the contact KEY: who it is, how to reach it, whether we may, and the newest of its history, both ways."""
    from vinculo import consent, contacts, history, loyalty, proof, scoring
    from vinculo.cli.score import points, standing
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt, rt.read() as db:
        contact_id = contacts.require(db, key)
        contact = contacts.load(db, [contact_id])[contact_id]
        lines = history.timeline(db, contact_id, limit=_SHOWN)
        live = consent.live(db, contact_id, rt.now())
        barred = proof.refused(db, contact_id)
        who = contacts.identity(db, contact_id)
        worth, currency = scoring.scored(db, contact_id), rt.project.settings.company.currency
        earned = loyalty.standing_of(db, rt.project.loyalty, contact_id, rt.now())
    consents = {f"{channel}/{topic}": granted for (channel, topic), granted in live.items()}
    answer = {"contact": contact, "identity": who, "consents": consents, "score": worth, "timeline": lines}
    refused = [f"{channel} {value} ({why})" for channel, value, why in barred]
    answer |= {"suppressed": refused, "loyalty": earned}
    usable = {(each.channel, each.value) for each in contact.addresses} - {(each[0], each[1]) for each in barred}
    reach = {channel for channel, _ in usable}
    unheard = [name for name, yes in consents.items() if yes and name.partition("/")[0] not in reach]
    beside = {"no address": ", ".join(unheard), "suppressed": ", ".join(refused)}
    beside |= _known(who, contact.id) | standing(worth, currency) | points(earned)
    output.answer(answer, as_json=as_json, text=lambda: _tell_contact(contact, consents, unheard, lines, beside))


def _known(who: Identity, number: int) -> dict[str, str]:
    """Who the contact is besides its name."""
    others = [f"#{other} ({each.by})" for each in who.duplicates for other in each.contacts if other != number]
    return {
        "known as": ", ".join(f"{system}:{value}" for system, value in who.identifiers),
        "inferred": ", ".join(f"{name} from the {source}" for name, source in who.inferred.items()),
        "merged": ", ".join(f"#{one.id} {one.reason}".strip() for one in who.joined),
        "perhaps": ", ".join(others),
    }


def _tell_contact(
    contact: Contact, consents: dict[str, bool], unheard: list[str], lines: list[Interaction], beside: dict[str, str]
) -> None:
    """*unheard*: what it says yes to where no address of it may be written to."""
    output.line(f"{contact.name or contact.key}  #{contact.id}")
    facts: dict[str, Any] = {
        "key": contact.key,
        "kind": contact.kind.value,
        "stage": contact.stage,
        "language": contact.language,
        "place": ", ".join(filter(None, (contact.city, contact.region, contact.country))),
        "zone": contact.timezone,
        "born": contact.birthdate,
        "owner": contact.owner,
        "first seen": f"{contact.first_seen:%Y-%m-%d} {contact.source}" if contact.first_seen else "",
        "addresses": ", ".join(f"{each.channel} {each.value}" for each in contact.addresses),
        "tags": ", ".join(sorted(contact.tags)),
        "traits": ", ".join(f"{name} {value}" for name, value in sorted(contact.traits.items())),
        "may write": ", ".join(name for name, yes in consents.items() if yes and name not in unheard) or "nothing",
        "may not": ", ".join(name for name, yes in consents.items() if not yes),
        **beside,
    }
    for name, value in facts.items():
        if value:
            output.line(f"  {name:<10} {value}")
    arrows = {"out": "→ out", "in": "← in"}
    rows = [
        [f"{line.at:%Y-%m-%d %H:%M}", arrows[line.direction.value], line.kind, line.channel, line.campaign, _what(line)]
        for line in lines
    ]
    if rows:
        output.table(["when (UTC)", "way", "what", "channel", "campaign", "words"], rows)
    else:
        output.line("  no history yet")


def _what(line: Interaction) -> str:
    from vinculo.model import Money

    paid = "" if line.amount is None else f"{Money(line.amount, line.currency).amount} {line.currency}"
    return " ".join(filter(None, (paid, line.summary)))
