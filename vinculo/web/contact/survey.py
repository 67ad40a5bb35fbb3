"""A survey's question on a page. GET shows and stores nothing, whoever follows the link; POST stores the answer.

One answer a person and occurrence: it may be changed, the last one counts, and the same one again is no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vinculo.db.tables import delivery, interaction, occurrence
from vinculo.model import Event, EventKind
from vinculo.project.survey import Survey
from vinculo.web.addressee import Addressee, addressee, form_of
from vinculo.web.page import language_of, not_found, show
from vinculo.web.place import Place, place
from vinculo.web.words import speaker

#: The most that we keep of what a contact writes, in characters.
LONGEST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that a token stands for, and what its contact has answered so far."""

    who: Addressee
    campaign: str
    survey: Survey
    answers: int
    last: tuple[int, str] | None


async def survey_page(request: Request) -> Response:
    """Show the question with the answer that the link stands for, else the one given before, and ask to confirm it."""
    here = place(request)
    asked = await here.off_loop(_asked, here, request.path_params["token"])
    if asked is None:
        return not_found(request)
    known, words = asked.last or (None, "")
    wanted = request.path_params.get("answer", known)
    if "answer" in request.path_params and wanted not in asked.survey.answers:
        return not_found(request)
    return _page(request, asked, wanted, words=words)


async def survey(request: Request) -> Response:
    """Keep the answer, and the words that came with it."""
    here = place(request)
    asked = await here.off_loop(_asked, here, request.path_params["token"])
    form = await form_of(request, fields=10)
    answer, words = form.get("score", ""), form.get("words", "").strip()[:LONGEST_WORDS]
    if asked is None or answer not in {str(one) for one in asked.survey.answers}:
        return not_found(request)
    if asked.last != (int(answer), words):
        await here.writer.store(_event(here, asked, int(answer), words))
    return _page(request, asked, int(answer), words=words, done=True)


routes = [
    Route("/survey/{token}", survey_page, methods=["GET"]),
    Route("/survey/{token}", survey, methods=["POST"]),
    Route("/survey/{token}/{answer:int}", survey_page, methods=["GET"]),
    Route("/survey/{token}/{answer:int}", survey, methods=["POST"]),
]


def _asked(here: Place, token: str) -> Asked | None:
    who = addressee(here, "survey", token)
    if who is None:
        return None
    d, i, o = delivery.c, interaction.c, occurrence.c
    planned = sa.select(d.campaign, o.definition).join(
        occurrence, sa.and_(o.campaign == d.campaign, o.occurrence == d.occurrence)
    )
    before = sa.select(i.data, i.summary).where(i.delivery_id == who.delivery, i.kind == EventKind.SURVEYED)
    with here.read() as db:
        row = db.execute(planned.where(d.id == who.delivery)).one()
        answers = db.execute(before.order_by(i.at, i.id)).all()
    question = Survey.model_validate(row.definition.get("survey") or {})
    return Asked(who, row.campaign, question, len(answers), _known(answers[-1].data) if answers else None)


def _known(data: Mapping[str, Any]) -> tuple[int, str]:
    return int(data.get("score", -1)), str(data.get("words", ""))


def _event(here: Place, asked: Asked, answer: int, words: str) -> Event:
    """The answer as an event. Posted twice at once it is one, by its id; two that differ are two."""
    said = hashlib.sha256(f"{answer}/{words}".encode()).hexdigest()[:16]
    survey, who = asked.survey, asked.who
    choice = {"choice": survey.choice(answer)} if survey.kind == "poll" else {}
    data = {"survey": asked.campaign, "kind": survey.kind, "score": answer, **choice}
    data |= {"words": words} if words else {}
    data |= {"negative": True} if survey.negative(answer) else {}
    number = f"survey/{who.delivery}/{asked.answers}/{said}"
    return Event(
        EventKind.SURVEYED, "web", number, here.now(), channel=who.channel, delivery=who.delivery, text=words, data=data
    )


def _page(request: Request, asked: Asked, answer: int | None, *, words: str = "", done: bool = False) -> Response:
    survey, wish = asked.survey, asked.who.contact.language
    language = language_of(request, wish)
    t = speaker(language)
    labels = {number: str(number) for number in survey.answers}
    if survey.kind == "poll":
        labels = dict(zip(survey.answers, (_in(one.title, language) for one in survey.choices), strict=True))
    ask = _in(survey.question, language) or t(f"survey.ask_{survey.kind}")
    given = labels.get(answer, "") if answer is not None else ""
    return show(
        request, "survey.html", wish=wish, kind=survey.kind, ask=ask, labels=labels, answer=answer, given=given,
        words=words, done=done,
    )  # fmt: skip


def _in(said: Mapping[str, str], language: str) -> str:
    """The words in *language*, else in whatever they were written in."""
    return said.get(language) or next(iter(said.values()), "")
