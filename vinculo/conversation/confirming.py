"""Who said "stop" is told that it was heard: one message, for that day the only one, and the last."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from vinculo import contacts
from vinculo.conversation.listening import Said, known
from vinculo.conversation.posting import day_of, post, way_to
from vinculo.db.tables import turn
from vinculo.project import Project
from vinculo.project.answers import CONFIRMATION
from vinculo.signing import Signer

_KIND = "confirmed"
_WORDS = {
    "pt": "{name}: pronto, não escrevemos mais para você por {channel}. Foi sem querer? Escolha aqui: {link}",
    "en": "{name}: done, we will not write to you by {channel} any more. Was it a mistake? Choose here: {link}",
    "es": "{name}: listo, no le escribiremos más por {channel}. ¿Fue sin querer? Elija aquí: {link}",
}
_EVERYWHERE = {"pt": "nenhum canal", "en": "any channel", "es": "ningún canal"}
_CHANNELS = {"email": {"pt": "e-mail", "en": "e-mail", "es": "correo electrónico"}, "sms": {"": "SMS"}}


def confirm(
    db: sa.Connection, project: Project, signer: Signer, said: Said, now: datetime, *, everywhere: bool = False
) -> int | None:
    """Tell the contact that its wish to be let alone was heard, and return the delivery; None when it was today.

    Nothing else may go out after it, so it needs no consent (47 CFR 64.1200(a)(12)); a suppressed address gets none.
    """
    key = f"{_KIND}/{said.key}"
    if known(db, said.contact_id, key):
        return None
    person = contacts.load(db, [said.contact_id]).get(said.contact_id)
    way = way_to(db, project, said.contact_id, said.channel, said.address)
    if person is None or way is None:
        return None
    sent = post(db, day_of(project, CONFIRMATION, now), said.contact_id, way, now, template=CONFIRMATION)
    if sent is None:
        return None
    company = project.settings.company
    language = next((each[:2] for each in (person.language, company.language) if each[:2] in _WORDS), "en")
    names = _EVERYWHERE if everywhere else _CHANNELS.get(way.channel, {})
    text = _WORDS[language].format(
        name=company.sender_name,
        channel=names.get(language) or names.get("") or way.channel.capitalize(),
        link=f"{project.settings.web.url.rstrip('/')}/preferences/{signer.token('preferences', said.contact_id)}",
    )
    row = {
        "contact_id": said.contact_id, "at": now, "kind": _KIND, "text": text, "subject": said.subject,
        "channel": way.channel, "address": way.address, "message_id": said.message_id, "thread": " ".join(said.thread),
        "delivery_id": sent, "said_in": key,
    }  # fmt: skip
    db.execute(sa.insert(turn).values(row))
    return sent
