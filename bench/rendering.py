"""What rendering one message costs, step by step, against plain Jinja and against premailer for each message.

`python bench/rendering.py [--json FILE]`: the weekly news in Portuguese, tracked, to people with names, cities and
habits of their own. CPU microseconds a message; the least of many interleaved rounds, since others use the machine too.
"""
# ruff: noqa: SLF001 - the steps inside of the renderer are what is measured

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from premailer import Premailer

from vinculo.model import Address, Contact
from vinculo.project import load
from vinculo.render import Renderer, Sending
from vinculo.render.compile.shape import VALUES
from vinculo.render.jinja.sandbox import DEADLINE
from vinculo.render.markup.flatten import flatten
from vinculo.render.markup.inline import inline
from vinculo.render.seal import sealed
from vinculo.signing import Signer

ROOT = Path(__file__).parents[1]
NAMES = ("Ana", "Beatriz", "José", "Lúcia", "João Pedro", "O'Hara", "Davi", "Ágata")
CITIES = ("Campinas", "São Paulo", "", "Olinda", "Poços de Caldas")
BREWS = ("v60", "espresso", "french_press", "moka", "")
PEOPLE, ROUNDS, SLOW = 200, 40, 3


def sendings(renderer: Renderer) -> list[Sending]:
    """The weekly news to people who differ."""
    campaign = renderer.project.campaigns["weekly-news"]
    return [
        Sending(
            delivery_id=number,
            key=f"weekly-news/2026-12-01T09:00[contact]/{number}",
            campaign=campaign,
            occurrence_key="2026-12-01T09:00[contact]",
            contact=_contact(number),
            channel="email",
            address=f"person{number}@correio.example",
            variant="",
            score={},
            at=datetime(2026, 12, 1, 12, tzinfo=UTC),
        )
        for number in range(1, PEOPLE + 1)
    ]


def _contact(number: int) -> Contact:
    brew = BREWS[number % len(BREWS)]
    traits = {"brew": brew, "last_product": f"Café {number % 7}"} if brew else {}
    return Contact(
        id=number,
        key=f"c-{number}",
        given_name=NAMES[number % len(NAMES)],
        family_name="Nogueira",
        language="pt",
        country="BR",
        city=CITIES[number % len(CITIES)],
        addresses=(Address("email", f"person{number}@correio.example"),),
        traits=traits,
    )


def steps(renderer: Renderer, people: list[Sending]) -> dict[str, Callable[[Sending], Any]]:
    """Each step of a message by itself, on what the steps before it made."""
    ready = renderer._ready(people[0])
    edition, head, late = ready.edition, ready.head, time.thread_time() + 3600
    made = edition.skeleton
    assert made is not None
    assert head is not None
    own = {each.key: ready.marks(each.delivery_id, each.contact.id) for each in people}

    def page(each: Sending) -> Any:
        return edition.render(each.contact, own[each.key].copy(), dict, late)

    def decide(each: Sending) -> str:
        brief = {"contact": {"country": each.contact.country}, DEADLINE: late, VALUES: []}
        return made.render({**edition.known, **brief}, each.contact)

    pages = {each.key: page(each) for each in people}
    return {
        "message": renderer.message,
        "tokens": lambda each: ready.marks(each.delivery_id, each.contact.id),
        "decisions and values (Jinja)": decide,
        "page (with the line before)": page,
        "headers and MIME": lambda each: sealed(each, head, pages[each.key], own[each.key], test=False, dkim=None),
    }


def references(renderer: Renderer, people: list[Sending]) -> dict[str, Callable[[Sending], Any]]:
    """Jinja without a sandbox on the source with its CSS inlined, and on the author's own, dressed for each message."""
    ready = renderer._ready(people[0])
    name = "weekly-news/email.pt.html"
    links = {name: f"{renderer.web}/{name}/{'x' * 34}" for name in ("unsubscribe", "preferences", "view", "survey")}
    data = {each.key: {**ready.edition.known, **renderer.data(each, "pt", links)} for each in people}
    source = flatten(name, renderer.environment.folder.source)
    plain = jinja2.Environment(autoescape=True)
    plain.filters.update(renderer.environment.filters)
    inlined, written = plain.from_string(inline(source)), plain.from_string(source)

    def dressed(each: Sending) -> str:
        html = written.render(data[each.key])
        options = {"allow_network": False, "disable_validation": True, "cssutils_logging_level": 50}
        return str(Premailer(html, **options).transform())

    return {"plain Jinja": lambda each: inlined.render(data[each.key]), "premailer": dressed}


def least(work: dict[str, Callable[[Sending], Any]], people: list[Sending], rounds: int) -> dict[str, float]:
    """The least CPU microseconds a message of each piece of *work*, over interleaved *rounds*."""
    found = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, do in work.items():
            started = time.process_time_ns()
            for each in people:
                do(each)
            found[name] = min(found[name], (time.process_time_ns() - started) / len(people) / 1000)
    return found


def measure() -> dict[str, Any]:
    """Figures as `--json` writes them: CPU microseconds, bytes, and the two ratios."""
    numbers: dict[str, int] = {}
    project = load(ROOT, {})
    renderer = Renderer(
        project,
        signer=Signer("a secret key for this benchmark"),
        link_id=lambda url: numbers.setdefault(url, len(numbers) + 1),
    )
    people = sendings(renderer)
    size = sum(len(renderer.message(each).mime) for each in people) / len(people)
    assert renderer.message(people[0]) == renderer.message(dataclasses.replace(people[0]))
    made, others = steps(renderer, people), references(renderer, people)
    cpu = least({**made, "plain Jinja": others["plain Jinja"]}, people, ROUNDS)
    cpu |= least({"premailer": others["premailer"]}, people[:10], SLOW)
    ratios = {
        "message / plain Jinja": cpu["message"] / cpu["plain Jinja"],
        "premailer / message": cpu["premailer"] / cpu["message"],
    }
    return {"cpu_us": cpu, "bytes": size, "ratios": ratios}


def main() -> None:
    """Print the figures, and write them where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = measure()
    print(f"A message of {figures['bytes']:,.0f} bytes, CPU microseconds:")
    for name, cpu in figures["cpu_us"].items():
        print(f"  {name:32} {cpu:9.1f}")
    for name, ratio in figures["ratios"].items():
        print(f"  {name:32} {ratio:9.2f} ×")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
