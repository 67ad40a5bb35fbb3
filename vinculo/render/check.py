"""What is wrong with the templates of a project, found by rendering each with its sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from vinculo.errors import Problem, VinculoError
from vinculo.model import CampaignKind, Message
from vinculo.project import Project, Template
from vinculo.project.survey import Survey
from vinculo.render.error import RenderError
from vinculo.render.preview import sample_sending
from vinculo.render.renderer import Renderer
from vinculo.render.sending import Sending
from vinculo.signing import Signer

#: Gmail shows no more of a message.
_CLIP = 102 * 1024
_IMAGE = re.compile(r"<img\b(?![^>]*\salt\s*=)[^>]*>", re.IGNORECASE)
_RELATIVE = re.compile(r"""\b(?:href|src)\s*=\s*["'](?!["'#{]|[a-zA-Z][a-zA-Z0-9+.-]*:|//)([^"']*)""", re.IGNORECASE)
_SAFE = re.compile(r"\|\s*safe\b")


def problems(project: Project, max_text: Callable[[str], int | None] = lambda _: None) -> list[Problem]:
    """Return what is wrong with *project*'s templates: what cannot be rendered, what law or mailboxes refuse.

    *max_text* as for `Renderer`.
    """
    renderer = preview_renderer(project, max_text)
    return sorted({problem for template in project.templates.values() for problem in check(renderer, template)})


def preview_renderer(project: Project, max_text: Callable[[str], int | None] = lambda _: None) -> Renderer:
    """Return a renderer that needs neither secret nor database. Its links lead nowhere."""
    numbers: dict[str, int] = {}
    signer = Signer("for previews, never for mail")
    return Renderer(
        project, signer=signer, link_id=lambda url: numbers.setdefault(url, len(numbers) + 1), max_text=max_text
    )


def check(renderer: Renderer, template: Template) -> list[Problem]:
    """Return what is wrong with *template* on any channel, in any language."""
    found: list[Problem] = []
    for (channel, form, language), path in sorted(template.parts.items()):
        found += _in_source(renderer, path)
        if form == "txt" and (channel, "html", language) in template.parts:
            continue
        found += _rendered(renderer, template, channel, language, path)
    return found


def _rendered(renderer: Renderer, template: Template, channel: str, language: str, path: Path) -> Iterator[Problem]:
    file = _shown(renderer, path)
    try:
        sending = sample_sending(
            renderer.project, template.name, channel, language or renderer.company.language, campaign=None
        )
        message = renderer.message(sending)
        renderer.check(sending)
    except RenderError as error:
        place = error.template if error.template.startswith("templates/") else file
        yield Problem(place, error.line, 1 if error.line else 0, error.reason, error.remedy)
        return
    except VinculoError as error:
        yield Problem(f"templates/{template.name}/sample.yaml", 0, 0, error.message, error.remedy)
        return
    if channel == "email":
        yield from (Problem(file, 0, 0, *what) for what in _mail(renderer, sending, message))
    yield from (Problem(file, 0, 0, *what) for what in _answers(renderer, template, message))


def _mail(renderer: Renderer, sending: Sending, message: Message) -> Iterator[tuple[str, str]]:
    """What a commercial e-mail must have (15 USC 7704; RFC 8058 speaks of headers, which are ours), and fits."""
    if sending.campaign.kind is not CampaignKind.SERVICE:
        if f"{renderer.web}/unsubscribe/" not in message.html + message.text:
            yield "there is no link to unsubscribe", "Put `{{ links.unsubscribe }}` in a link."
        if renderer.company.postal_address not in _words(message):
            yield "the company's postal address is missing", "Put `{{ company.postal_address }}` at the end."
    if not message.subject:
        yield "there is no subject", "Write `{% block subject %}…{% endblock %}`."
    size = len(message.html.encode())
    if size > _CLIP:
        yield f"the HTML has {size // 1024} KB: Gmail cuts it at 102 KB", "Take out what can be read on a page."


def _answers(renderer: Renderer, template: Template, message: Message) -> Iterator[tuple[str, str]]:
    """Links to an answer that a survey with *template* does not have: whoever follows one finds no page."""
    links = re.findall(rf"{re.escape(renderer.web)}/survey/[\w-]+/(\d+)", message.html + message.text)
    for campaign in renderer.project.campaigns.values():
        used = {campaign.template, *(each.template for each in campaign.variants.values())}
        if campaign.kind is not CampaignKind.SURVEY or template.name not in used:
            continue
        known = (campaign.survey or Survey()).answers
        if wrong := sorted({int(link) for link in links} - set(known)):
            what = f"it links to the answer {wrong[0]}, and the survey `{campaign.name}` has {known[0]} to {known[-1]}"
            yield what, "Link to these alone; a survey of another kind needs a template of its own."


def _words(message: Message) -> str:
    from html import unescape

    return unescape(message.html) + message.text


def _in_source(renderer: Renderer, path: Path) -> Iterator[Problem]:
    """What can be seen in the file, with its line."""
    file, text = _shown(renderer, path), path.read_text(encoding="utf-8-sig")
    if path.suffix != ".html":
        return
    for pattern, message, remedy in (
        (_IMAGE, "an image has no `alt`", 'Say what it shows, or `alt=""` for decoration.'),
        (_RELATIVE, "an address without `https://` leads nowhere in an e-mail", "Write it in full."),
        (_SAFE, "`safe` lets a value bring its own HTML", "Leave it out, or put the HTML in the template."),
    ):
        for place in pattern.finditer(text):
            line = text.count("\n", 0, place.start()) + 1
            yield Problem(file, line, place.start() - text.rfind("\n", 0, place.start()), message, remedy)


def _shown(renderer: Renderer, path: Path) -> str:
    return path.relative_to(renderer.project.root).as_posix()
