"""Sendings that were not planned: a template's sample contact, and a contact's next message of a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import delivery, occurrence
from vinculo.errors import UsageError, did_you_mean
from vinculo.model import CampaignKind, Contact, ContactKind
from vinculo.project import Project, Template
from vinculo.project.schema import Campaign
from vinculo.render.sending import Sending

#: Previews of samples are of this moment, so that they stay the same.
SAMPLE_AT = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
_FIELDS = frozenset(Contact.__dataclass_fields__) - {"id", "addresses"}
_NOWHERE = {"email": "someone@example.com", "sms": "+5511999999999", "whatsapp": "+5511999999999"}


def sample_sending(project: Project, template: str, channel: str, language: str, campaign: Campaign | None) -> Sending:
    """Return the sending of *template* to the contact of its sample.yaml. Raises `UsageError` for an unknown name."""
    found = find_template(project, template)
    sample = _sample(found, language)
    contact = _contact(sample.get("contact", {}), language)
    return sending_to(project, found.name, contact, channel, campaign, score=sample.get("score", {}))


def sending_to(
    project: Project,
    template: str,
    contact: Contact,
    channel: str,
    campaign: Campaign | None,
    *,
    score: Mapping[str, Any],
) -> Sending:
    """Return a sending of *template* to *contact* that no ledger knows."""
    address = next((each.value for each in contact.addresses if each.channel == channel), "")
    return Sending(
        delivery_id=0,
        key=f"preview/{template}/{contact.key}",
        campaign=campaign or campaign_of(project, template, channel),
        occurrence_key=f"{SAMPLE_AT:%Y-%m-%dT%H:%M}[UTC]",
        contact=contact,
        channel=channel,
        address=address or _NOWHERE.get(channel, "someone"),
        variant=next(iter(campaign.variants), "") if campaign else "",
        score=score,
        at=SAMPLE_AT,
    )


def planned_sending(db: sa.Connection, campaign: str, contact: Contact, score: Mapping[str, Any]) -> Sending | None:
    """Return the sending that the ledger has for *contact*'s latest message of *campaign*, or None."""
    rows = sa.join(
        delivery,
        occurrence,
        sa.and_(delivery.c.campaign == occurrence.c.campaign, delivery.c.occurrence == occurrence.c.occurrence),
    )
    row = db.execute(
        sa.select(delivery, occurrence.c.definition, occurrence.c.due_at.label("at"))
        .select_from(rows)
        .where(delivery.c.campaign == campaign, delivery.c.contact_id == contact.id, delivery.c.channel != "")
        .order_by(occurrence.c.due_at.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return Sending(
        delivery_id=row.id,
        key=f"{campaign}/{row.occurrence}/{contact.id}",
        campaign=Campaign.model_validate(row.definition),
        occurrence_key=row.occurrence,
        contact=contact,
        channel=row.channel,
        address=row.address,
        variant=row.variant,
        score=score,
        at=row.at,
    )


def find_template(project: Project, name: str) -> Template:
    """Return template *name*. Raises `UsageError`."""
    try:
        return project.templates[name]
    except KeyError:
        raise UsageError(f"There is no template `{name}`", did_you_mean(name, project.templates)) from None


def campaign_of(project: Project, template: str, channel: str) -> Campaign:
    """Return the first campaign that uses *template*, else one made up for it."""
    for each in project.campaigns.values():
        if template in {each.template, *(variant.template for variant in each.variants.values())}:
            return each.model_copy(update={"template": template, "variants": {}})
    topic = next(iter(project.policy.topics), "news")
    return Campaign(
        name="preview",
        kind=CampaignKind.SERVICE if _journeys_use(project, template) else CampaignKind.NEWSLETTER,
        segment="preview",
        topic=topic,
        channels=[channel],
        template=template,
    )


def _journeys_use(project: Project, template: str) -> bool:
    return any(
        step.template == template and journey.kind is CampaignKind.SERVICE
        for journey in project.journeys.values()
        for step in journey.steps
    )


def _sample(template: Template, language: str) -> Mapping[str, Any]:
    """Return the part of sample.yaml for *language*; a sample may also be one for all languages."""
    sample = template.sample
    if "contact" in sample or not sample:
        return sample
    return dict(sample.get(language) or sample.get(language[:2]) or next(iter(sample.values())))


def _contact(fields: Mapping[str, Any], language: str) -> Contact:
    for name in fields:
        if name not in _FIELDS:
            raise UsageError(f"sample.yaml gives the contact a `{name}`", did_you_mean(name, _FIELDS))
    known = {"key": "sample", **fields, "language": language or fields.get("language", "")}
    known["kind"] = ContactKind(known.get("kind", "customer"))
    return Contact(id=0, **{**known, "tags": frozenset(known.get("tags", ()))})
