"""The preference centre: what a contact gets, on which channels, how often, in which language.

GET shows; POST acts, without login: the token is the proof. What counts is what was changed on the page: one that was
open, or comes back by the browser's button, while the contact left elsewhere, says yes to nothing again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from babel.dates import format_date
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vinculo import consent, optin
from vinculo.db import tables
from vinculo.model import Contact, Event, EventKind
from vinculo.project.schema import Topic
from vinculo.web.addressee import alive, answers, form_of, number_in
from vinculo.web.page import asked_language, language_of, not_found, show
from vinculo.web.place import Place, place
from vinculo.web.words import LANGUAGES, how_often, speaker

#: How long "a pause" is, in days, as the preference centre offers it.
PAUSES = (30, 90)
#: What the page says of a request to confirm, by what became of it.
_TOLD = {optin.Asked.ASKED: "asked", optin.Asked.LIMITED: "waiting", optin.Asked.UNABLE: "unable"}
#: `consent.often` reads these; another wish that is on record may be kept.
FREQUENCIES = ("", *consent.FREQUENCIES)


@dataclass(frozen=True, slots=True)
class Reach:
    """A channel that reaches the contact; *masked* so that a forwarded link does not tell the address."""

    name: str
    masked: str
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What the contact has chosen."""

    contact: Contact
    channels: tuple[Reach, ...]
    topics: Mapping[str, Topic]
    live: Mapping[tuple[str, str], bool]
    chosen: Mapping[str, str]
    paused_until: datetime | None
    #: The number of the last word on consent, which the next one changes.
    last: int


@dataclass(frozen=True, slots=True)
class Said:
    """A form that came back, and how the page had shown it. *page*: the page it was on."""

    form: Mapping[str, str]
    shown: Mapping[str, str] | None
    page: str

    def touched(self, name: str) -> bool:
        """Whether the contact changed the field. Of a form that does not say how it was shown any may be."""
        return self.shown is None or self.form.get(name, "") != self.shown.get(name, "")

    def wants(self, name: str) -> bool:
        """Whether the contact ticked the box."""
        return self.form.get(name) == "yes"


async def preferences_page(request: Request) -> Response:
    """Show the contact's choices."""
    here = place(request)
    choices = await here.off_loop(_choices, here, request.path_params["token"])
    if choices is None:
        return not_found(request)
    language = language_of(request, choices.contact.language)
    t, form = speaker(language), _form(choices, language)
    return show(
        request,
        "preferences.html",
        wish=choices.contact.language,
        saved="saved" in request.query_params,
        asked=_topics_in(request, choices, "asked"),
        waiting=_topics_in(request, choices, "waiting"),
        unable=_topics_in(request, choices, "unable"),
        contact=choices.contact,
        channels=choices.channels,
        topics=choices.topics,
        live=choices.live,
        closed=_closed(here, choices),
        form=form,
        shown=urlencode({**form, "page": secrets.token_hex(8)}),
        frequencies=[(value, how_often(value, language)) for value in _frequencies(choices)],
        pauses=_pauses(here, t, choices, language),
        preferred=[("", t("prefs.channel_any")), *((one.name, _channel(t, one.name)) for one in choices.channels)],
    )


async def save_preferences(request: Request) -> Response:
    """Keep what the contact chose; consents become events, so that the history has them."""
    here, token = place(request), request.path_params["token"]
    choices = await here.off_loop(_choices, here, token)
    if choices is None:
        return not_found(request)
    said = _said(await form_of(request, fields=300))
    told, spoken = {"saved": "1"}, asked_language(request)
    if said.form.get("everything") == "no":
        await here.writer.store(*await here.off_loop(_leaving, here, choices, said))
    else:
        changes = _changes(here, choices, said, language_of(request, choices.contact.language))
        asked = [change for change in changes if _to_confirm(here, change)]
        await here.writer.store(*(change for change in changes if change not in asked))
        await here.off_loop(_keep, here, choices, said)
        became = await here.off_loop(_ask, here, choices, asked)
        told |= {name: ",".join(topics) for name, topics in became.items()}
    if spoken and not (
        "language" in said.form and said.touched("language")
    ):  # who changed the language reads the new one
        told["lang"] = spoken
    return RedirectResponse(f"/preferences/{token}?{urlencode(told, safe=',')}", status_code=303)


routes = [
    Route("/preferences/{token}", preferences_page, methods=["GET"]),
    Route("/preferences/{token}", save_preferences, methods=["POST"]),
]


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────
def _choices(here: Place, token: str) -> Choices | None:
    number = number_in(here, "preferences", token)
    if number is None:
        return None
    c = tables.consent.c
    with here.read() as db:
        found = alive(db, number)
        if found is None:
            return None
        # Before what holds: of two clicks at once, the slower finds this as the other did, or that nothing is changed.
        last = db.scalar(sa.select(sa.func.max(c.id)).where(c.contact_id == found.id)) or 0
        live, chosen = answers(db, found, here.now()), consent.preferences(db, found.id)
        channels = []
        for name in sorted({one.channel for one in found.addresses} & set(here.project.settings.channels)):
            values = [one.value for one in found.addresses if one.channel == name]
            hashes = [consent.address_hash(here.signer, name, value) for value in values]
            gone = len(consent.suppressed(db, name, hashes)) == len(set(hashes))
            channels.append(Reach(name, ", ".join(map(masked, values)), gone))
    paused = chosen.get("pause_until", "")
    until = datetime.fromisoformat(paused) if paused else None
    still = until if until and until > here.now() else None
    return Choices(found, tuple(channels), here.project.policy.topics, live, chosen, still, last)


def _form(choices: Choices, language: str) -> dict[str, str]:
    """The fields as the page shows them, which is how they come back when nothing is changed."""
    boxes = {
        f"{channel.name}/{topic}": "yes"
        for channel in choices.channels
        if not channel.suppressed
        for topic in choices.topics
        if choices.live.get((channel.name, topic))
    }
    theirs, channel = choices.contact.language[:2], choices.chosen.get("channel", "")
    return {
        **boxes,
        "frequency": choices.chosen.get("frequency", ""),
        "pause": "keep" if choices.paused_until else "",
        "channel": channel if channel in {one.name for one in choices.channels} else "",
        "language": theirs if theirs in LANGUAGES else language,
    }


def _topics_in(request: Request, choices: Choices, name: str) -> list[Topic]:
    """The topics that the query's *name* lists; what is none of ours is no topic."""
    named = request.query_params.get(name, "").split(",")
    return [topic for each, topic in choices.topics.items() if each in named]


def _closed(here: Place, choices: Choices) -> dict[str, list[str]]:
    """By topic, the channels where a yes could not be confirmed; what is a yes already can be taken back."""
    return {
        topic: [
            one.name
            for one in choices.channels
            if not one.suppressed
            if not choices.live.get((one.name, topic)) and not optin.possible(here.project, one.name, topic)
        ]
        for topic in choices.topics
    }


def masked(value: str) -> str:
    """Enough of an address for its owner to know it: `a…@gmail.example`, `…89`."""
    name, at, domain = value.rpartition("@")
    return f"{name[:1]}…@{domain}" if at else f"…{value[-2:]}"


def _frequencies(choices: Choices) -> list[str]:
    return list(dict.fromkeys([*FREQUENCIES, choices.chosen.get("frequency", "")]))


def _pauses(here: Place, t: Callable[..., str], choices: Choices, language: str) -> list[tuple[str, str]]:
    rows = [("", t("prefs.pause_none")), *((str(days), t("prefs.pause_days", days=days)) for days in PAUSES)]
    if choices.paused_until:
        zone = ZoneInfo(choices.contact.timezone or here.project.settings.company.timezone)
        date = format_date(choices.paused_until.astimezone(zone).date(), "long", locale=language)
        rows.insert(0, ("keep", t("prefs.pause_keep", date=date)))
    return rows


def _channel(t: Callable[..., str], name: str) -> str:
    try:
        return str(t(f"common.{name}"))
    except KeyError:  # a channel of a connector of your own
        return name


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────
def _said(form: Mapping[str, str]) -> Said:
    shown = dict(parse_qsl(form["shown"], keep_blank_values=True)) if "shown" in form else None
    return Said(form, shown, (shown or {}).get("page") or secrets.token_hex(8))


def _changes(here: Place, choices: Choices, said: Said, language: str) -> list[Event]:
    """One event for each box that the contact changed, and that is not as it wants it already."""
    return [
        _event(here, choices, said, channel.name, name, _proof(topic, language) if wanted else None)
        for channel in choices.channels
        if not channel.suppressed  # its boxes cannot be ticked
        for name, topic in choices.topics.items()
        if said.touched(f"{channel.name}/{name}")
        if (wanted := said.wants(f"{channel.name}/{name}")) != choices.live.get((channel.name, name), False)
        if not (wanted and said.shown is None)  # perhaps ticked when the page was shown, and taken back since elsewhere
    ]


def _leaving(here: Place, choices: Choices, said: Said) -> list[Event]:
    """A no to every topic, on every channel that the contact has or has spoken of."""
    with here.read() as db:
        channels = consent.channels(db, choices.contact.id)
    return [_event(here, choices, said, channel, "", None) for channel in channels]


def _to_confirm(here: Place, change: Event) -> bool:
    return change.kind is EventKind.SUBSCRIBED and optin.needed(here.project, change.topic)


def _ask(here: Place, choices: Choices, asked: list[Event]) -> Mapping[str, list[str]]:
    """Double opt-in: each of *asked* becomes a message that asks; until it is confirmed, nothing is a yes.

    Returns the topics `asked` for by a message now, those `waiting`: it was asked for lately, and not again, and those
    that we are `unable` to ask for on their channel.
    """
    became: dict[str, set[str]] = {}
    with here.rt.begin() as db:
        for change in asked:
            outcome = optin.ask(
                db, here.project, choices.contact.id, change.channel, change.topic, here.now(),
                source=change.source, text_hash=change.data["text_hash"],
            )  # fmt: skip
            became.setdefault(_TOLD.get(outcome, ""), set()).add(change.topic)
    return {name: sorted(topics) for name, topics in sorted(became.items()) if name}


def _proof(topic: Topic, language: str) -> Mapping[str, str]:
    """What makes a yes demonstrable (GDPR Art. 7(1)): its basis, and the hash of the words that were shown."""
    shown = "\n".join((topic.title.get(language, ""), topic.description.get(language, "")))
    return {"legal_basis": "consent", "text_hash": hashlib.sha256(shown.encode()).hexdigest()}


def _event(
    here: Place, choices: Choices, said: Said, channel: str, topic: str, proof: Mapping[str, str] | None
) -> Event:
    """The same button clicked twice is one event; on the same page after another word on consent it is a new one."""
    kind, who = EventKind.SUBSCRIBED if proof else EventKind.UNSUBSCRIBED, f"#{choices.contact.id}"
    number = f"{said.page}/{choices.last}/{channel}/{topic or '*'}"
    return Event(kind, "preferences", number, here.now(), channel=channel, contact=who, topic=topic, data=proof or {})


def _keep(here: Place, choices: Choices, said: Said) -> None:
    with here.rt.begin() as db:
        for name, value in _wishes(here.now(), choices, said):
            consent.set_preference(db, choices.contact.id, name, value, here.now())


def _wishes(now: datetime, choices: Choices, said: Said) -> Iterator[tuple[str, str]]:
    """The preferences that the contact changed, those of them that we offered."""
    pause = said.form.get("pause")
    if pause is not None and pause != "keep" and said.touched("pause"):
        offered = pause in {str(days) for days in PAUSES}
        yield "pause_until", (now + timedelta(days=int(pause))).isoformat() if offered else ""
    offered_values = {
        "frequency": _frequencies(choices),
        "channel": ["", *(one.name for one in choices.channels)],
        "language": LANGUAGES,
    }
    for name, values in offered_values.items():
        if said.touched(name) and said.form.get(name) in values:
            yield name, said.form[name]
