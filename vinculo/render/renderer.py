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
from vinculo.render.structure import Dynamic
from vinculo.render.track import CLICK, TOKEN, Tracker
from vinculo.render.unit import Unit
from vinculo.signing import Signer

log = logging.getLogger(__name__)
_TEST = {"pt": "[TESTE]", "es": "[PRUEBA]"}


class Renderer:
    """Renders a project's messages. *link_id* gives a URL's number in the table of links. Threads may share one."""

    def __init__(self, project: Project, *, signer: Signer, link_id: Callable[[str], int]) -> None:
        self.project, self.signer = project, signer
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
        data = context(sending, self.company, language, links)
        data[TOKEN] = token = self.signer.token("click", sending.delivery_id)
        data[CLICK] = self.tracker.click(token)
        unit = self._unit(sending, language)
        with self._naming(unit.name):
            data[DEADLINE] = time.monotonic() + self.seconds
            html = unit.render_html(data)
            text = unit.render_text(data, html)
            subject = unit.render_subject(data, html)
        if not text.strip():
            raise RenderError("It says nothing to this contact: the text is empty", template=unit.name)
        if test:
            label = _TEST.get(language[:2].lower(), "[TEST]")
            subject, text = f"{label} {subject}", text if html else f"{label} {text}"
        return self._message(sending, links, (subject, text, self._with_pixel(sending, html)), test=test)

    def _message(self, sending: Sending, links: dict[str, str], words: tuple[str, str, str], *, test: bool) -> Message:
        subject, text, html = words
        if sending.channel != "email":
            return Message(sending.key, sending.channel, sending.address, text, to_name=sending.contact.name, test=test)
        company, number = self.company, sending.delivery_id
        reply_to = tagged(company.reply_email, self.signer.mail_token("reply", number))
        fields: dict[str, Any] = {
            "key": sending.key,
            "channel": sending.channel,
            "to": sending.address,
            "to_name": sending.contact.name,
            "subject": subject,
            "text": text,
            "html": html,
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

    def _unit(self, sending: Sending, language: str) -> Unit:
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
        page = self._inlined(plain) if plain else None
        return Unit(
            name,
            plain,
            page or plain,
            self.environment.get_template(self._name(text)) if text else None,
            self.environment.from_string(subject) if subject else None,
            late=plain is not None and page is None,
        )

    def _inlined(self, plain: jinja2.Template) -> jinja2.Template | None:
        """Return *plain* with its CSS inlined, or nothing if that must wait until it is rendered."""
        name = str(plain.name)
        try:
            source = inline(flatten(name, self.environment.folder.source))
        except Dynamic as reason:
            log.info("templates/%s is inlined anew for each message: %s", name, reason)
            return None
        code = self.environment.compile(source, name, f"{name} (inlined)")
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
        except Exception as error:  # noqa: BLE001 - a template may raise anything; the run goes on with the rest
            file, line = _place(error)
            reason = str(error) or type(error).__name__
            raise RenderError(reason, template=f"templates/{file}" if file else template, line=line) from None


def _place(error: Exception) -> tuple[str, int]:
    """Return the template's file and line at which *error* was raised: Jinja puts them in the traceback."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [(file, line) for file, line in frames if file.endswith((".html", ".txt")) and not file.startswith("/")]
    return ours[-1] if ours else ("", 0)


def _file(error: jinja2.TemplateSyntaxError, template: str) -> str:
    return f"templates/{error.name}" if error.name else template
