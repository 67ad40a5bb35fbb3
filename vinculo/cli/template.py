"""`vinculo preview` and `vinculo inline`: see a message before anyone else does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import given, output

if TYPE_CHECKING:
    from vinculo.model import Message
    from vinculo.project import Campaign, Project

Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write to this file: .eml the whole message, .html, .txt.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("preview")(preview)
    app.command("inline")(inline_file)


def preview(  # noqa: PLR0913, PLR0917 - a command's options
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name of a folder in templates/.")],
    as_: Annotated[
        str, typer.Option("--as", metavar="CONTACT", help="A contact's key or address; else the template's sample.")
    ] = "",
    channel: Annotated[str, typer.Option(metavar="C", help="email, sms, whatsapp …")] = "email",
    language: Annotated[str, typer.Option(metavar="L", help="Language of the sample, e.g. pt or es.")] = "",
    campaign: Annotated[str, typer.Option(metavar="NAME", help="The campaign it is sent by.")] = "",
    out: Out = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Show the message that TEMPLATE makes: the same bytes that a send makes."""
    tongue = given.language(language)
    message = _to_contact(template, as_, channel, campaign) if as_ else _sample(template, channel, tongue, campaign)
    if out:
        out.write_bytes(_content(message, out.suffix))
        output.note(f"Written to {out}")
    elif not as_json:
        _show(message)
    if as_json:
        output.answer(_plain(message), as_json=True, text=lambda: None)


def inline_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="HTML, with or without Jinja.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this file; else to the screen.")] = None,
) -> None:
    """Move the CSS of FILE into style attributes; Jinja's tags stay as they are."""
    from vinculo.errors import UsageError
    from vinculo.render import Dynamic, inline

    try:
        text = inline(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{file} cannot be read: {words}", "Name a file of HTML that is saved as UTF-8.") from None
    except Dynamic as reason:
        raise UsageError(
            f"{file} cannot be inlined before it is rendered: {reason}", "When it is sent, this is done by itself."
        ) from None
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        output.line(text)


def _sample(template: str, channel: str, language: str, campaign: str) -> Message:
    from vinculo import project as files
    from vinculo.render import preview_renderer, sample_sending
    from vinculo.runtime import max_texts

    project = files.load(files.find_root(), whole=False)
    _require_sound(project, template, campaign)
    name, fallback = _has_part(project, template, channel), project.settings.company.language
    tongue = language or fallback
    if (spoken := project.templates[name].spoken(channel, tongue, fallback)) != tongue:
        output.note(f"There is no part in `{tongue}`: whoever speaks it reads this, in `{spoken}`.")
    sending = sample_sending(project, template, channel, tongue, _campaign(project, campaign))
    return preview_renderer(project, max_texts(project)[0].get).message(sending)


def _to_contact(template: str, key: str, channel: str, campaign: str) -> Message:
    from vinculo import contacts
    from vinculo.render import planned_sending, sending_to
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt:
        _require_sound(rt.project, template, campaign)
        with rt.read() as db:
            number = contacts.require(db, key)
            contact = contacts.load(db, [number])[number]
            score = contacts.scores(db, [number]).get(number, {})
            sending = planned_sending(db, campaign, contact, score) if campaign else None
        if sending is None:
            name = _has_part(rt.project, template, channel)
            definition = _campaign(rt.project, campaign)
            sending = sending_to(rt.project, name, contact, channel, definition, score=score)
        return rt.renderer.message(sending)


def _require_sound(project: Project, template: str, campaign: str) -> None:
    """Raise `ProjectError` where the files of *template* or *campaign* are wrong; others' are not looked at."""
    from vinculo.errors import ProjectError

    own = f"templates/{template}/"
    wrong = [p for p in project.problems if p.file.startswith(own) or p.concerns("plan/calendar", campaign)]
    if not wrong and campaign and campaign not in project.campaigns:
        wrong = list(project.problems)
    if wrong:
        raise ProjectError(wrong)


def _has_part(project: Project, template: str, channel: str) -> str:
    """The template's name. Raises `UsageError` when there is no such template, or it has no part for *channel*."""
    from vinculo.errors import UsageError, did_you_mean
    from vinculo.render import find_template

    found = find_template(project, template)
    channels = {of for of, _, _ in found.parts}
    if channel not in channels:
        raise UsageError(f"The template `{found.name}` has no part for {channel}", did_you_mean(channel, channels))
    return found.name


def _campaign(project: Project, name: str) -> Campaign | None:
    from vinculo.errors import UsageError, did_you_mean

    if name and name not in project.campaigns:
        raise UsageError(f"There is no campaign `{name}`", did_you_mean(name, project.campaigns))
    return project.campaigns[name] if name else None


def _content(message: Message, suffix: str) -> bytes:
    if suffix == ".eml" and message.mime:
        return message.mime
    return (message.html if suffix == ".html" and message.html else message.text).encode()


def _show(message: Message) -> None:
    for name, value in (("To", message.to), ("Subject", message.subject)):
        if value:
            output.line(f"{name}: {value}")
    for name, value in message.headers:
        output.line(f"{name}: {value}")
    output.line()
    output.line(message.text)
    if message.html:
        output.note(
            f"HTML part: {len(message.html.encode()):,} bytes. `--out FILE.html` writes it, `--out FILE.eml` all."
        )


def _plain(message: Message) -> dict[str, Any]:
    names = ("key", "channel", "to", "to_name", "subject", "text", "html", "reply_to", "return_path", "message_id")
    plain = {name: getattr(message, name) for name in names}
    return plain | {"headers": dict(message.headers), "mime": message.mime.decode("utf-8", "replace")}
