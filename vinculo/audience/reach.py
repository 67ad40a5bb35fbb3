"""On which channel and address a contact is reached, or what stands in the way on every one of them."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.tables import address, preference
from vinculo.ledger import consents, is_service, suppressed
from vinculo.model import Moment
from vinculo.project.schema import Campaign

#: How far the best address of a contact gets, best first; UNREACHED: there is none.
USABLE, UNCONSENTED, SUPPRESSED, UNREACHED = 0, 1, 2, 3


def reach(campaign: Campaign, segment: sa.CTE, moment: Moment) -> sa.Subquery:
    """The best address of each contact of *segment*: `contact_id`, `channel`, `address`, `obstacle`.

    Best is: usable, on the channel that the contact prefers, on the first of the campaign's, lowest position. Who has
    none is there, too: from contact to address is the only order in which each look-up has its index.
    """
    a = address.c
    here = sa.and_(a.contact_id == segment.c.contact_id, a.channel.in_(campaign.channels))
    obstacle = sa.case(
        (a.id.is_(None), UNREACHED),
        (suppressed(a.channel, a.hash), SUPPRESSED),
        (_consented(campaign, moment), USABLE),
        else_=UNCONSENTED,
    )
    candidates = (
        sa.select(segment.c.contact_id, a.channel, a.value, a.position, a.id, obstacle.label("obstacle"))
        .outerjoin_from(segment, address, here)
        .subquery("candidate")
    )
    c = candidates.c
    order = c.obstacle, _not_preferred(c.contact_id, c.channel), _place(campaign, c.channel), c.position, c.id
    rank = sa.func.row_number().over(partition_by=c.contact_id, order_by=order)
    ranked = sa.select(c.contact_id, c.channel, c.value, c.obstacle, rank.label("rank")).subquery("ranked")
    best = sa.select(ranked.c.contact_id, ranked.c.channel, ranked.c.value.label("address"), ranked.c.obstacle)
    return best.where(ranked.c.rank == 1).subquery("reach")


def _consented(campaign: Campaign, moment: Moment) -> sa.ColumnElement[bool]:
    topic = sa.literal(campaign.topic)
    service = is_service(sa.literal(campaign.kind.value), topic)
    return consents(address.c.contact_id, address.c.channel, topic, service, moment.now)


def _not_preferred(contact_id: sa.ColumnElement[int], channel: sa.ColumnElement[str]) -> sa.Case[int]:
    p = preference.c
    preferred = sa.exists().where(p.contact_id == contact_id, p.name == "channel", p.value == channel)
    return sa.case((preferred, 0), else_=1)


def _place(campaign: Campaign, channel: sa.ColumnElement[str]) -> sa.Case[int]:
    return sa.case(*((channel == name, place) for place, name in enumerate(campaign.channels)), else_=99)
