"""Template → message: compiled once per (template, channel, language, variant), then only what is the contact's own."""

from __future__ import annotations

import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date as date_
from functools import partial
from pathlib import Path
from typing import Any

from vinculo.errors import did_you_mean
from vinculo.mail import HeaderError
from vinculo.mail.dkim import Dkim
from vinculo.model import Message
from vinculo.project import Project, Template
from vinculo.project.schema import Campaign
from vinculo.quick import quick
from vinculo.render.asking import asked
from vinculo.render.compile.edition import Edition, Filled
from vinculo.render.compile.environment import Environment
from vinculo.render.compile.form import gap
from vinculo.render.compile.own import CLICK, LINK_TOKEN, LINKS, NOWHERE, TOKEN, Marks, Own, OwnLinks
from vinculo.render.compile.track import Tracker
from vinculo.render.compile.unit import Unit, Words, made_of
from vinculo.render.error import RenderError, named
from vinculo.render.header import Head
from vinculo.render.jinja.sandbox import DEADLINE
from vinculo.render.seal import sealed
from vinculo.render.sending import Sending, context, for_all, for_one
from vinculo.signing import Signer
from vinculo.tracking import HONEYPOT, nameless_path

#: Editions that are kept: campaigns under way, times languages and variants.
_MOST_EDITIONS = 64
_OF_MAIL = (Own.UNSUBSCRIBE, Own.REPLY, Own.BOUNCE, Own.MESSAGE)
_message = quick(Message)
_TEST = {"pt": "TESTE", "es": "PRUEBA"}


@dataclass(slots=True)
class _Ready:
    """What is prepared for the messages of one edition. `most`: the longest text that the connector carries.

    `nameless`: its pixel counts openings, whoever it goes to.
    """

    campaign: Campaign
    edition: Edition
    marks: Marks
    head: Head | None
    most: int | None
    nameless: bool


#: What the likes of a sending have in common, and our own values in its message.
Prepared = tuple[_Ready, list[bytes]]


class Renderer:
    """Renders a project's messages. Threads may share one.

    *link_id* gives a URL's number in the table of links; *max_text* how many characters of text the connector of a
    channel carries, None for any number; *dkim* what signs e-mails, None if nothing does.
    """

    def __init__(
        self,
        project: Project,
        *,
        signer: Signer,
        link_id: Callable[[str], int],
        max_text: Callable[[str], int | None] = lambda _: None,
        dkim: Callable[[], Dkim | None] = lambda: None,
    ) -> None:
        self.project, self.signer, self.max_text, self.dkim = project, signer, max_text, dkim
        settings = project.settings
        self.company, self.web = settings.company, settings.web.url.rstrip("/")
        self.seconds, self.rules = settings.limits.render_seconds, settings.tracking
        self.tracker = Tracker(self.web, signer, link_id)
        self.folder = project.root / "templates"
        self.environment = Environment(self.folder, self.tracker)
        self.own_links = OwnLinks(self.web)
        self._readies: dict[tuple[str, str, str, str, date_], _Ready] = {}
        self._units: dict[tuple[str, Path | None, Path | None, str], Unit] = {}
        self._makers: dict[frozenset[Own], Marks] = {}
        self._asked: dict[tuple[frozenset[str], frozenset[str], str], frozenset[str]] = {}
        self._countings: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def prepare(self, sendings: Iterable[Sending]) -> dict[int, Prepared]:
        """Return, by delivery, what `message` takes for *sendings*: made for many at once, it takes half the time.

        What cannot be rendered is missing; `message` says why.
        """
        alike: dict[Marks, list[tuple[Sending, _Ready]]] = defaultdict(list)
        for sending in sendings:
            try:
                ready = self._ready(sending)
            except RenderError:
                continue
            alike[ready.marks].append((sending, ready))
        made: dict[int, Prepared] = {}
        for marks, some in alike.items():
            tokens = marks.many([(sending.delivery_id, sending.contact.id) for sending, _ in some])
            made |= {sending.delivery_id: (ready, own) for (sending, ready), own in zip(some, tokens, strict=True)}
        return made

    def message(
        self, sending: Sending, *, test: bool = False, sign: bool = True, prepared: Prepared | None = None
    ) -> Message:
        """Render *sending*. A *test* is labelled, and its links to leave do nothing. Raises `RenderError`.

        What is only looked at need not be signed: without *sign* no key is asked for. *prepared* serves once.
        """
        ready, own = prepared or self._prepared(sending)
        if (ready.nameless or not sending.known) and own[Own.PIXEL]:
            own[Own.PIXEL] = self._nameless(sending.campaign.name, sending.occurrence_key)
        if test:
            for place in LINKS.values():
                own[place] = NOWHERE
            # each has a name of its own: mailboxes hide a second message that has the first one's
            own[Own.MESSAGE] = self.signer.mail_token("test", zlib.crc32(sending.key.encode())).encode()
        page = self._page(ready, sending, own)
        if test:
            page = _labelled(page, sending.contact.language or self.company.language, sending.variant)
        if ready.most is not None and len(page.text) > ready.most:
            raise _too_long(sending, page.text, ready.most)
        if ready.head is None:
            name = sending.contact.name
            return _message(sending.key, sending.channel, sending.address, page.text, to_name=name, test=test)
        try:
            dkim = self.dkim() if sign else None
            return sealed(sending, ready.head, page, own, test=test, dkim=dkim)
        except HeaderError as error:
            raise RenderError(str(error), template=sending.campaign.template) from None

    def asks(self, campaign: Campaign, channel: str) -> frozenset[str]:
        """Return what of `contacts.EVERYTHING` the messages of *campaign* on *channel* may ask for."""
        variants, templates = campaign.variants.values(), self.project.templates
        names = frozenset([campaign.template, *(each.template for each in variants if each.template)])
        subjects = frozenset(each.subject for each in variants)
        key = names, subjects, channel
        if key not in self._asked:
            parts = [part for name in names if name in templates for part in templates[name].parts.items()]
            files = [self._name(path) for (of, _, _), path in parts if of == channel]
            self._asked[key] = asked(files, subjects, self.environment.folder.read)
        return self._asked[key]

    def _page(self, ready: _Ready, sending: Sending, own: list[bytes]) -> Words | Filled:
        # To ask the kernel for the time costs as much as to look up what the contact is called.
        deadline = self._deadline() if ready.edition.timed else 0.0
        try:
            data = partial(self._data, ready, sending, own, deadline)
            page = ready.edition.render(sending.contact, own, data, deadline)
        except Exception as error:  # noqa: BLE001 - a template may raise anything; the run goes on with the rest
            raise named(error, ready.edition.unit.name) from None
        if not page.says:
            raise RenderError("It says nothing to this contact: the text is empty", template=ready.edition.unit.name)
        return page

    def data(self, sending: Sending, language: str, links: dict[str, str]) -> dict[str, Any]:
        """Return what the template of *sending* sees, and what our own filters look for."""
        token = self.signer.token("click", sending.delivery_id)
        ours = {TOKEN: token, CLICK: self.tracker.click(token), DEADLINE: self._deadline()}
        return context(sending, self.company, language, links) | ours

    def _deadline(self) -> float:
        return time.thread_time() + self.seconds

    def _data(self, ready: _Ready, sending: Sending, own: list[bytes], deadline: float) -> dict[str, Any]:
        token, links = own[Own.CLICK].decode(), self.own_links.links(own)
        ours = {"links": links, TOKEN: token, CLICK: self.tracker.click(token), DEADLINE: deadline or self._deadline()}
        return {**ready.edition.known, **for_one(sending), **ours}

    def _prepared(self, sending: Sending) -> Prepared:
        ready = self._ready(sending)
        return ready, ready.marks(sending.delivery_id, sending.contact.id)

    def _ready(self, sending: Sending) -> _Ready:
        """Return what is prepared for the likes of *sending*; made when it is first asked for."""
        campaign, language = sending.campaign, sending.contact.language or self.company.language
        key = (campaign.name, sending.channel, sending.variant, language, sending.day)
        ready = self._readies.get(key)
        if ready is not None and (ready.campaign is campaign or ready.campaign == campaign):
            ready.campaign = campaign
            return ready
        ready = self._prepare(sending, language)
        with self._lock:
            while len(self._readies) >= _MOST_EDITIONS:
                self._readies.pop(next(iter(self._readies)))
            self._readies[key] = ready
        return ready

    def _prepare(self, sending: Sending, language: str) -> _Ready:
        unit, campaign = self.unit(sending, language), sending.campaign
        opens = campaign.open_tracking or self.rules.opens
        try:
            spoken = self._template(sending).spoken(sending.channel, language, self.company.language)
            known, mail = for_all(sending, self.company, spoken), sending.channel == "email"
            link = self.own_links.link(Own.UNSUBSCRIBE, gap(Own.UNSUBSCRIBE, LINK_TOKEN))
            head = Head(campaign, self.company, link) if mail else None
            edition = Edition(
                unit, self.environment, known, self.own_links, self._end(sending, opens), head.source if head else b""
            )
            marks = self._marks(frozenset({*edition.needs(), *(_OF_MAIL if mail else ())}))
        except Exception as error:  # noqa: BLE001 - as in `message`
            self.check(sending)  # fails in the same way, and at the author's line
            raise named(error, unit.name) from None
        return _Ready(campaign, edition, marks, head, self.max_text(sending.channel), opens == "aggregate")

    def _marks(self, needs: frozenset[Own]) -> Marks:
        """Return what makes the values that a message *needs*: the languages of a campaign share it, and a group."""
        return self._makers.setdefault(needs, self._makers.get(needs) or Marks(self.signer, needs))

    def check(self, sending: Sending) -> None:
        """Compile the template of *sending* as it was written, also what no message shows. Raises `RenderError`."""
        unit = self.unit(sending, sending.contact.language or self.company.language)
        try:
            unit.check()
        except Exception as error:  # noqa: BLE001 - as in `message`
            raise named(error, unit.name) from None

    def _end(self, sending: Sending, opens: str) -> str:
        """Return what stands at the end of an e-mail: the link that no person sees or hears of, and the pixel."""
        if sending.channel != "email":
            return ""
        hidden = f'<a href="{gap(Own.CLICK)}{HONEYPOT}" aria-hidden="true" tabindex="-1" style="display:none"></a>'
        pixel = f'<img src="{gap(Own.PIXEL)}" width="1" height="1" alt="" border="0">'
        return (hidden if self.rules.honeypot else "") + (pixel if opens != "off" else "")

    def _nameless(self, campaign: str, occurrence: str) -> bytes:
        """Return what stands in the address of the pixel that counts for an occurrence and names nobody."""
        path = self._countings.get((campaign, occurrence))
        if path is None:
            path = nameless_path(self.signer, campaign, occurrence).removeprefix("/o/").removesuffix(".gif")
            self._countings[campaign, occurrence] = path
        return path.encode()

    def unit(self, sending: Sending, language: str) -> Unit:
        """Return the template of *sending*, compiled when it is first asked for. Raises `RenderError`."""
        template = self._template(sending)
        name, variant = template.name, sending.campaign.variants.get(sending.variant)
        html, text = (template.part(sending.channel, form, language, self.company.language) for form in ("html", "txt"))
        subject = variant.subject if variant else ""
        if html is None and text is None:
            raise RenderError(f"The template has no part for {sending.channel}", template=name)
        key = (name, html, text, subject)
        with self._lock:
            if key not in self._units:
                try:
                    self._units[key] = made_of(self.environment, name, self._name(html), self._name(text), subject)
                except Exception as error:  # noqa: BLE001 - as in `message`
                    raise named(error, name) from None
        return self._units[key]

    def _template(self, sending: Sending) -> Template:
        variant = sending.campaign.variants.get(sending.variant)
        name = (variant.template if variant else None) or sending.campaign.template
        template = self.project.templates.get(name)
        if template is None:
            raise RenderError(f"There is no template `{name}`", remedy=did_you_mean(name, self.project.templates))
        return template

    def _name(self, path: Path | None) -> str:
        return path.relative_to(self.folder).as_posix() if path else ""


def _too_long(sending: Sending, text: str, most: int) -> RenderError:
    return RenderError(
        f"The text has {len(text):,} characters; the connector of {sending.channel} carries {most:,}",
        template=sending.campaign.template,
        remedy="Say it shorter, also for those with long names.",
    )


def _labelled(words: Words | Filled, language: str, variant: str) -> Words:
    """Return *words* as those of a test, of that *variant* if there are several: the reader sees it first."""
    test = _TEST.get(language[:2].lower(), "TEST")
    label = f"[{test} {variant}]" if variant else f"[{test}]"
    return Words(f"{label} {words.subject}", words.text if words.html else f"{label} {words.text}", words.html)
