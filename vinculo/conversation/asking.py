"""Questions that plan/answers.yaml answers at once: one answer for a person and day, and never to a machine."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from vinculo.conversation.acting import found, line
from vinculo.conversation.listening import WAITING, Said, known
from vinculo.conversation.posting import day_of, post, way_to
from vinculo.db.tables import conversation
from vinculo.inbox import plain
from vinculo.project import Project
from vinculo.project.answers import AT_ONCE, Question

#: A longer text asks for more than one answer.
_LONGEST = 60


def answer_at_once(db: sa.Connection, project: Project, number: int, said: Said, now: datetime) -> int | None:
    """Answer what was *said* in conversation *number* if it is one of the project's questions; return the delivery.

    None when it is no question of ours, or the contact has had such an answer today: whatever answers our answers, and
    be it another Vinculo, hears no second one (RFC 3834 §2). The caller knows that no machine wrote it.
    """
    key = f"at once/{said.key}"
    question = None if known(db, said.contact_id, key) else question_in(project, said)
    way = way_to(db, project, said.contact_id, said.channel, said.address) if question else None
    if question is None or way is None or not _serves(project, question, said.channel):
        return None
    day = day_of(project, AT_ONCE, now)
    sent = post(db, day, said.contact_id, way, now, template=question.template)
    if sent is None:
        return None
    row = found(db, number)
    line(
        db, row, "automatic", question.template, now, channel=way.channel, address=way.address, subject=said.subject,
        message_id=said.message_id, thread=" ".join(said.thread), delivery_id=sent, said_in=key,
    )  # fmt: skip
    values = {"state": WAITING, "owed_at": None, "changed_at": max(row.changed_at, now)}
    db.execute(sa.update(conversation).where(conversation.c.id == number).values(**values))
    return sent


def question_in(project: Project, said: Said) -> Question | None:
    """The one question that a text asks; None when it asks two, complains, or says more than a question does."""
    text = plain(said.text)
    if said.negative or "stop" in said.intents or len(text.split()) > _LONGEST:
        return None
    met = [one for one in project.answers.questions.values() if _asks(one, said, f" {text} ")]
    return met[0] if len(met) == 1 else None


def _asks(question: Question, said: Said, text: str) -> bool:
    if question.topics and said.topic not in question.topics:
        return False
    if question.intent is not None and question.intent not in said.intents:
        return False
    return any(f" {plain(phrase)} " in text for phrase in question.phrases)


def _serves(project: Project, question: Question, channel: str) -> bool:
    template = project.templates.get(question.template)
    return template is not None and template.serves(channel, project.settings.company.language)
