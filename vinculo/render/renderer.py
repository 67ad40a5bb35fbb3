"""Template → message: compiled once per (template, channel, language, variant), then only what is the contact's own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import Any

import jinja2
import sqlalchemy.exc

from vinculo.errors import did_you_mean
from vinculo.mail import HeaderError, compose
from vinculo.model import Mailbox, Message
from vinculo.project import Project
from vinculo.render.environment import Environment
from vinculo.render.error import RenderError
from vinculo.render.flatten import flatten
from vinculo.render.header import domain_of, headers, tagged
from vinculo.render.inline import inline
from vinculo.render.sandbox import DEADLINE
from vinculo.render.sending import Sending, context
from vinculo.render.shape import held
from vinculo.render.structure import Dynamic
from vinculo.render.track import CLICK, TOKEN, Tracker
from vinculo.render.unit import Unit, Words
from vinculo.signing import Signer

log = logging.getLogger(__name__)
_TEST = {"pt": "[TESTE]", "es": "[PRUEBA]"}


class Renderer:
    """Renders a project's messages. Threads may share one.

    *link_id* gives a URL's number in the table of links; *max_text* how many characters of text the connector of a
    channel carries, None for any number.
    """

    def __init__(
        self,
        project: Project,
        *,
        signer: Signer,
        link_id: Callable[[str], int],
        max_text: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self.project, self.signer, self.max_text = project, signer, max_text
        settings = project.settings
        self.company, self.web = settings.company, settings.web.url.rstrip("/")
        self.seconds = settings.limits.render_seconds
        self.tracker = Tracker(self.web, signer, link_id)
        self.folder = project.root / "templates"
        self.environment = Environment(self.folder, self.tracker)
        self._units: dict[tuple[str, Path | None, Path | None, str], Unit] = {}
        self._lock = threading.Lock()

    def message(self, sending: Sending, *, test: bool = False) -> Message:
        """Render *sending*. A *test* is labelled, and its links to leave do nothing. Raises `RenderError`."""
        language = sending.contact.language or self.company.language
        links = self._links(sending, test=test)
        unit = self.unit(sending, language)
        data = self.data(sending, language, links)
        with self._naming(unit.name):
            words = unit.render(data)
        if not words.text.strip():
            raise RenderError("It says nothing to this contact: the text is empty", template=unit.name)
        if test:
            words = _labelled(words, language)
        self._check_length(sending, words.text)
        return self._message(sending, links, words, test=test)

    def data(self, sending: Sending, language: str, links: dict[str, str]) -> dict[str, Any]:
        """Return what the template of *sending* sees, and what our own filters look for."""
        data = context(sending, self.company, language, links)
        data[TOKEN] = token = self.signer.token("click", sending.delivery_id)
        data[CLICK] = self.tracker.click(token)
        data[DEADLINE] = time.monotonic() + self.seconds
        return data

    def _check_length(self, sending: Sending, text: str) -> None:
        most = self.max_text(sending.channel)
        if most is not None and len(text) > most:
            raise RenderError(
                f"The text has {len(text):,} characters; the connector of {sending.channel} carries {most:,}",
                template=sending.campaign.template,
                remedy="Say it shorter, also for those with long names.",
            )

    def _message(self, sending: Sending, links: dict[str, str], words: Words, *, test: bool) -> Message:
        if sending.channel != "email":
            return Message(
                sending.key, sending.channel, sending.address, words.text, to_name=sending.contact.name, test=test
            )
        company, number = self.company, sending.delivery_id
        reply_to = tagged(company.reply_email, self.signer.mail_token("reply", number))
        fields: dict[str, Any] = {
            "key": sending.key,
            "channel": sending.channel,
            "to": sending.address,
            "to_name": sending.contact.name,
            "subject": words.subject,
            "text": words.text,
            "html": self._with_pixel(sending, words.html),
            "sender": Mailbox(company.sender_name, company.sender_email),
            "reply_to": reply_to,
            "return_path": tagged(company.bounce_email, self.signer.mail_token("bounce", number)),
            "message_id": f"<{self.signer.mail_token('message', number)}@{domain_of(company.sender_email)}>",
            "headers": headers(sending, company, links, reply_to),
            "test": test,
        }
        try:
            return Message(**fields, mime=compose(Message(**fields)))
        except HeaderError as error:
            raise RenderError(str(error), template=sending.campaign.template) from None

    def _links(self, sending: Sending, *, test: bool) -> dict[str, str]:
        if test:
            return {name: f"{self.web}/{name}/test" for name in ("unsubscribe", "preferences", "view", "survey")}
        links = {name: self._link(name, sending.delivery_id) for name in ("unsubscribe", "view", "survey")}
        return {**links, "preferences": self._link("preferences", sending.contact.id)}

    def _link(self, purpose: str, number: int) -> str:
        return f"{self.web}/{purpose}/{self.signer.token(purpose, number)}"

    def _with_pixel(self, sending: Sending, html: str) -> str:
        if not html or sending.campaign.open_tracking != "individual":
            return html
        url = f"{self.web}/o/{self.signer.token('open', sending.delivery_id)}.gif"
        pixel = f'<img src="{url}" width="1" height="1" alt="" border="0">'
        before, end, after = html.rpartition("</body>")
        return f"{before}{pixel}{end}{after}" if end else html + pixel

    def unit(self, sending: Sending, language: str) -> Unit:
        """Return the template of *sending*, compiled when it is first asked for. Raises `RenderError`."""
        variant = sending.campaign.variants.get(sending.variant)
        name = (variant.template if variant else None) or sending.campaign.template
        template = self.project.templates.get(name)
        if template is None:
            raise RenderError(f"There is no template `{name}`", remedy=did_you_mean(name, self.project.templates))
        html, text = (template.part(sending.channel, form, language, self.company.language) for form in ("html", "txt"))
        subject = variant.subject if variant else ""
        if html is None and text is None:
            raise RenderError(f"The template has no part for {sending.channel}", template=name)
        key = (name, html, text, subject)
        with self._lock:
            if key not in self._units:
                with self._naming(name):
                    self._units[key] = self._compile(name, html, text, subject)
        return self._units[key]

    def _compile(self, name: str, html: Path | None, text: Path | None, subject: str) -> Unit:
        plain = self.environment.get_template(self._name(html)) if html else None
        source = self._styled(plain) if plain else None
        shaped = held(source) if source else None
        return Unit(
            name,
            plain,
            self._compiled(plain, source),
            self._compiled(plain, shaped),
            self.environment.get_template(self._name(text)) if text else None,
            self.environment.from_string(subject) if subject else None,
        )

    def _styled(self, plain: jinja2.Template) -> str | None:
        """Return the source of *plain* with its CSS inlined, or nothing if that must wait until it is rendered."""
        try:
            return inline(flatten(str(plain.name), self.environment.folder.source))
        except Dynamic as reason:
            log.info("templates/%s is inlined anew for each message: %s", plain.name, reason)
            return None

    def _compiled(self, plain: jinja2.Template | None, source: str | None) -> jinja2.Template | None:
        if plain is None or source is None:
            return None
        code = self.environment.compile(source, plain.name, f"{plain.name} (inlined)")
        return jinja2.Template.from_code(self.environment, code, self.environment.globals)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    @contextmanager
    def _naming(self, template: str) -> Iterator[None]:
        """Turn whatever a template raises into a `RenderError` with its place."""
        try:
            yield
        except RenderError as error:
            if error.template:
                raise
            raise RenderError(error.reason, template=template, remedy=error.remedy) from None
        except jinja2.TemplateSyntaxError as error:
            raise RenderError(error.message or "syntax", template=_file(error, template), line=error.lineno) from None
        except jinja2.TemplateNotFound as error:
            raise RenderError(f"There is no `{error.name}` in templates/", template=template) from None
        except sqlalchemy.exc.DBAPIError:  # the table of links is not there: no template's fault, nobody is left out
            raise
        except Exception as error:  # noqa: BLE001 - a template may raise anything; the run goes on with the rest
            file, line = _place(error)
            reason = str(error) or type(error).__name__
            raise RenderError(reason, template=f"templates/{file}" if file else template, line=line) from None


def _labelled(words: Words, language: str) -> Words:
    """Return *words* as those of a test: the reader sees it first."""
    label = _TEST.get(language[:2].lower(), "[TEST]")
    return Words(f"{label} {words.subject}", words.text if words.html else f"{label} {words.text}", words.html)


def _place(error: Exception) -> tuple[str, int]:
    """Return the template's file and line at which *error* was raised: Jinja puts them in the traceback."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [(file, line) for file, line in frames if file.endswith((".html", ".txt")) and not file.startswith("/")]
    return ours[-1] if ours else ("", 0)


def _file(error: jinja2.TemplateSyntaxError, template: str) -> str:
    return f"templates/{error.name}" if error.name else template
