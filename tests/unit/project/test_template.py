"""Which part of a template a contact gets."""

from __future__ import annotations

from pathlib import Path

from vinculo.project.template import Template, parts_of


def template(folder: Path, *names: str) -> Template:
    for name in names:
        (folder / name).write_text("x")
    return Template("hello", folder, parts_of(folder))


def part(found: Template, language: str, fallback: str = "pt") -> str:
    path = found.part("email", "html", language, fallback)
    return path.name if path else ""


def test_the_nearest_language_wins_then_the_companys_then_the_one_for_all(tmp_path: Path) -> None:
    found = template(tmp_path, "email.html", "email.pt.html", "email.pt-PT.html", "email.en.html", "logo.png")
    assert part(found, "pt-PT") == "email.pt-PT.html"
    assert part(found, "pt-BR") == "email.pt.html"
    assert part(found, "en_US") == "email.en.html"
    assert part(found, "ja") == "email.pt.html"
    assert part(found, "ja", "es") == "email.html"


def test_a_template_serves_a_channel_only_if_everyone_gets_a_part(tmp_path: Path) -> None:
    found = template(tmp_path, "email.en.html", "sms.txt")
    assert found.serves("sms", "pt")
    assert found.serves("email", "en")
    assert not found.serves("email", "pt")
    assert not found.serves("whatsapp", "pt")
