"""What a contact says becomes a conversation; what can be answered at once is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from vinculo import conversation
from vinculo.conversation import Said
from vinculo.feedback.case import Case
from vinculo.inbox import wants_out_everywhere
from vinculo.project.answers import OURS


def heard(case: Case, wants: Collection[str], mood: str) -> None:
    """Open a conversation for what the contact wrote, or go on with one; confirm a wish to be let alone.

    A program that calls itself none is answered at most once a day; one that does, never.
    """
    said = _said(case, wants, negative=conversation.complains(wants, mood))
    number = conversation.hear(case.db, said)
    if case.project is None or case.event.data.get("machine"):
        return
    if "stop" in wants:
        _confirm(case, said, everywhere=wants_out_everywhere(said.text))
    elif number is not None:
        conversation.answer_at_once(case.db, case.project, number, said, case.now)


def left(case: Case) -> None:
    """Confirm a wish to be let alone that came by mail. Who used a page has seen it there, and a provider says it."""
    by_mail = "message_id" in case.event.data and not case.event.data.get("machine")
    if by_mail and case.project is not None:
        _confirm(case, _said(case, ("stop",), negative=False))


def surveyed(case: Case) -> None:
    """Open a conversation for an answer of somebody who is unhappy with us; a better one since is told in it.

    Nothing is answered at once: who takes the trouble to say that something is wrong is answered by a person.
    """
    data, sent = case.event.data, case.match.sent
    negative = data.get("negative") is True
    said = _said(case, ("complaint",) if negative else ("thanks",), negative=negative)
    given = data.get("choice") or data.get("score")
    text = f"{data.get('survey', '')} {data.get('kind', '')}: {given}".strip()
    text = f"{text}\n\n{case.event.text}" if case.event.text else text
    conversation.hear(case.db, replace(said, text=text, address=said.address or (sent.address if sent else "")))


def _confirm(case: Case, said: Said, *, everywhere: bool = False) -> None:
    assert case.project is not None
    conversation.confirm(case.db, case.project, case.signer, said, case.now, everywhere=everywhere)


def _said(case: Case, wants: Collection[str], *, negative: bool) -> Said:
    event, sent = case.event, case.match.sent
    data, thread = event.data, event.data.get("thread")
    return Said(
        contact_id=case.match.contact_id,
        at=case.at,
        key=_key(case),
        text=event.text,
        channel=event.channel or case.channel,
        address=event.address,
        subject=str(data.get("subject", "")),
        topic=event.topic or (sent.topic if sent and sent.campaign not in OURS else ""),
        campaign=sent.campaign if sent and sent.campaign not in OURS else "",
        delivery_id=sent.id if sent else None,
        message_id=str(data.get("message_id", "")),
        thread=tuple(str(each) for each in reversed(thread)) if isinstance(thread, list) else (),
        intents=tuple(wants),
        negative=negative,
        unprompted=sent is None,
    )


def _key(case: Case) -> str:
    """The same mail has the same id at every door; an id of a provider's is its own."""
    event = case.event
    return f"mail/{event.id}" if "message_id" in event.data else f"{event.source}/{event.id}"
