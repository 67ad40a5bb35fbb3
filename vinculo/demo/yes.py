"""What the demo's people agreed to, took back, and asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

#: The chance of a yes to a topic, by channel. Nobody says yes to everything.
_YES = {
    "email": {"news": 0.8, "offers": 0.64, "events": 0.46, "birthday": 0.7, "surveys": 0.58},
    "sms": {"offers": 0.34, "birthday": 0.3},
}
#: The words that stood beside the box, kept as a hash with each yes.
_TEXTS = {
    "pt": "Quero receber mensagens da Casa Aurora sobre: {topic} ({channel}). Posso mudar de ideia quando quiser.",
    "en": "I would like to hear from Casa Aurora about: {topic} ({channel}). I can change my mind at any time.",
    "es": "Quiero recibir mensajes de Casa Aurora sobre: {topic} ({channel}). Puedo cambiar de idea cuando quiera.",
}
_DOORS = {"website": "website form", "shop": "card at the counter", "fair": "tablet at the fair"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A yes or no to a topic on a channel; `text` is what was shown."""

    channel: str
    topic: str
    granted: bool
    at: datetime
    source: str
    basis: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """All answers of one contact, and its wishes as (name, value, at)."""

    answers: tuple[Answer, ...]
    wishes: tuple[tuple[str, str, datetime], ...]


def choices(dice: Random, contact: Mapping[str, Any], phone: str, now: datetime) -> Choice:
    """Draw what *contact* (columns of the table) chose between its first day and *now*."""
    said = list(_said(dice, contact, phone))
    return Choice((*said, *_took_back(dice, said, now)), tuple(_wishes(dice, contact, phone, now)))


def _said(dice: Random, contact: Mapping[str, Any], phone: str) -> Iterator[Answer]:
    at, door = contact["first_seen"], _DOORS.get(contact["source"], "website form")
    for channel in ("email", "sms") if phone else ("email",):
        yield Answer(channel, "service", granted=True, at=at, source=door, basis="contract")
        for topic, chance in _YES[channel].items():
            if dice.random() < chance:
                text = _TEXTS[contact["language"]].format(topic=topic, channel=channel)
                yield Answer(channel, topic, granted=True, at=at, source=door, basis="consent", text=text)


def _took_back(dice: Random, said: list[Answer], now: datetime) -> Iterator[Answer]:
    """Seven in a hundred left a topic; one or two in a hundred left all of a channel."""
    first = said[0]
    if dice.random() < 0.015:
        yield Answer("email", "", granted=False, at=_later(dice, first.at, now), source="unsubscribe link")
    for answer in said:
        if answer.topic != "service" and dice.random() < 0.07:
            at = _later(dice, answer.at, now)
            yield Answer(answer.channel, answer.topic, granted=False, at=at, source="preference centre")


def _wishes(dice: Random, contact: Mapping[str, Any], phone: str, now: datetime) -> Iterator[tuple[str, str, datetime]]:
    since = contact["first_seen"]
    if dice.random() < 0.04:
        yield "frequency", dice.choice(("weekly", "monthly")), _later(dice, since, now)
    if dice.random() < 0.01:
        until = (now + timedelta(days=dice.randrange(3, 40))).replace(microsecond=0)
        yield "pause_until", until.isoformat(), _later(dice, since, now)
    if phone and dice.random() < 0.03:
        yield "channel", "sms", _later(dice, since, now)


def _later(dice: Random, since: datetime, now: datetime) -> datetime:
    return since + (now - since) * dice.random()
