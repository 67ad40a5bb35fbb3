"""On which channel and address a contact is reached, or what stands in the way on every one of them.

One pass over the contacts of the segment in the order of their ids: each address is given a number, and the least of a
contact's wins. The number is made of what is compared, most important first: how far the address gets, whether it is on
the channel that the contact prefers, what the channel costs, and the address's place among the contact's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors

from vinculo.audience.hour import Clocks
from vinculo.audience.part import Part
from vinculo.db.tables import address, contact, permission, preference, score, suppression
from vinculo.ledger import answered, serves, suppressed
from vinculo.model import Moment, decimals
from vinculo.project.routing import Routing, ValueTier
from vinculo.project.schema import Campaign
from vinculo.segment.compile.person import Either, Unindexed

#: A question whose answer is contacts, one column of ids.
Members = sa.Select[Any] | sa.CompoundSelect[Any] | sa.TextualSelect
#: How far the best address of a contact gets, best first; UNREACHED: there is none.
USABLE, COSTLY, UNCONSENTED, SUPPRESSED, UNREACHED = range(5)
#: The digits of a number, from the right: the address's id, its place, the channel's, whether it is not preferred.
_ID, _PLACE, _CHANNEL, _PREFERRED = 10**11, 10**3, 10**3, 10
_OBSTACLE = _ID * _PLACE * _CHANNEL * _PREFERRED
#: Letters of a hash that tell most addresses from all that are suppressed.
_BEGINNING = 5


def reach(  # noqa: PLR0913 - what `allocate` is asked
    campaign: Campaign,
    routing: Routing | None,
    members: Members,
    moment: Moment,
    *,
    clocks: Clocks,
    currency: str,
    excluded: sa.ColumnElement[bool],
    part: Part,
    few: bool,
) -> sa.Subquery:
    """The best address of each contact of *members*, and its obstacle; who has no address is there, too.

    Columns: `contact_id`, `obstacle`, `channel`, `address`, `consent_id`, `lapses_at`, the number of its `hour`, and
    whether it is *excluded*, a condition of the row in `contact`. *part*: *members* are of these alone.
    """
    a, said = address.c, permission.c
    refused = permission.alias("refused")
    routing = None if serves(campaign) else routing
    order = sorted(campaign.channels, key=routing.cost) if routing else campaign.channels
    affordable = _affordable(routing, currency) if routing else sa.true()
    number = _number(order, _suppressed(few=few), answered(campaign, permission, refused, moment.now), affordable)
    # What is the contact's own comes first, so that SQLite looks it up once, and not for each address.
    wish = sa.and_(preference.c.contact_id == contact.c.id, preference.c.name == "channel")
    wish = sa.and_(wish, part.about(preference.c.contact_id))
    source = sa.outerjoin(contact, preference, wish)
    if routing:
        worth = sa.and_(score.c.contact_id == contact.c.id, part.about(score.c.contact_id))
        source = source.outerjoin(score, worth)
    on = Unindexed(a.channel).in_(campaign.channels)  # SQLite finds a contact's addresses at once, not by channel
    source = source.outerjoin(address, sa.and_(a.contact_id == contact.c.id, part.about(a.contact_id), on))
    here = sa.and_(said.contact_id == contact.c.id, said.channel == a.channel, said.topic == campaign.topic)
    source = source.outerjoin(permission, sa.and_(here, part.about(said.contact_id)))
    if serves(campaign):
        no = sa.and_(refused.c.contact_id == contact.c.id, refused.c.channel == a.channel, refused.c.topic == "")
        source = source.outerjoin(refused, sa.and_(no, part.about(refused.c.contact_id)))
    own = contact.c.timezone, contact.c.country, excluded.label("excluded")
    carried = *own, a.channel, a.value.label("address"), *_rests(campaign)
    candidates = sa.select(contact.c.id.label("contact_id"), number.label("number"), *carried)
    candidates = candidates.select_from(source).where(*belonging(members))
    # OFFSET, so that PostgreSQL works the number out once, and not anew wherever it is compared; in order, so that it
    # merges what is in the order of the contacts anyway, and need sort none but each contact's own.
    c = candidates.suffix_with("ORDER BY contact.id OFFSET 0", dialect="postgresql").subquery("candidate").c
    kept: dict[str, sa.ColumnElement[Any]] = {
        column.name: column for column in c if column.name not in {"contact_id", "number"}
    }
    kept |= {name: sa.func.coalesce(kept[name], "") for name in ("channel", "address")}
    # Worked out here, once a contact: in the condition of a join SQLite would do so for each row of the other side.
    hour = clocks.number(kept["channel"], kept.pop("timezone"), kept.pop("country"))
    columns = [value.label(name) for name, value in {**kept, "hour": hour}.items()]
    return _first(sa.select(c.contact_id, (_Least(c.number) // _OBSTACLE).label("obstacle"), *columns))


def _first(rows: sa.Select[Any]) -> sa.Subquery:
    """Of each contact the row with the least number.

    Beside a `min` SQLite takes plain columns from the row of the minimum (its documentation of SELECT, §2.5).
    """
    rows = rows.suffix_with("GROUP BY candidate.contact_id", dialect="sqlite")
    rows = rows.prefix_with("DISTINCT ON (candidate.contact_id)", dialect="postgresql")
    order = "ORDER BY candidate.contact_id, candidate.number"
    return rows.suffix_with(order, dialect="postgresql").subquery("reach")


def belonging(members: Members) -> list[sa.ColumnElement[bool]]:
    """The conditions of a segment over contacts; of any other question, that the contact is among its answers.

    A question over contacts alone must have no clause but WHERE.
    """
    if isinstance(members, sa.Select) and members.get_final_froms() == [contact] and members.whereclause is not None:
        return [members.whereclause]
    return [contact.c.id.in_(members)]


def alone(members: Members) -> bool:
    """Whether a segment asks of the contacts' own rows and of nothing else."""
    return not any(isinstance(part, sa.SelectBase) for held in belonging(members) for part in visitors.iterate(held))


def _rests(campaign: Campaign) -> tuple[sa.ColumnElement[Any], ...]:
    """The record that permits the message; one that needs no consent rests on none."""
    said = permission.c
    if serves(campaign):
        nothing = sa.cast(sa.null(), said.consent_id.type), sa.cast(sa.null(), said.expires_at.type)
        return nothing[0].label("consent_id"), nothing[1].label("lapses_at")
    return said.consent_id, said.expires_at.label("lapses_at")


def _suppressed(*, few: bool) -> sa.ColumnElement[bool]:
    """Whether an address is suppressed.

    To look a million up at random in a list of thousands takes SQLite longer than all else here: it first looks for
    the beginning of the hash, among so few letters that they stay at hand.
    """
    a, s = address.c, suppression.c
    listed = suppressed(a.channel, a.hash)
    if few:
        return listed
    begins = sa.func.substr(a.hash, 1, _BEGINNING).in_(sa.select(sa.func.substr(s.address_hash, 1, _BEGINNING)))
    return Either(listed, sa.and_(begins, listed))


def _number(
    order: Sequence[str], listed: sa.ColumnElement[bool],
    consented: sa.ColumnElement[bool], affordable: sa.ColumnElement[bool],
) -> sa.ColumnElement[int]:  # fmt: skip
    """The number of an address: the least is the best. *order*: the channels, the cheapest first."""
    a = address.c
    obstacle = sa.case(
        (a.id.is_(None), UNREACHED),
        (listed, SUPPRESSED),
        (sa.not_(consented), UNCONSENTED),
        (sa.not_(affordable), COSTLY),
        else_=USABLE,
    )
    preferred = sa.case((preference.c.value == a.channel, 0), else_=1)
    place = sa.case(*((a.channel == name, place) for place, name in enumerate(order)), else_=len(order))
    position = sa.case((a.position < _PLACE, a.position), else_=_PLACE - 1)
    parts = ((obstacle, _OBSTACLE), (preferred, _OBSTACLE // _PREFERRED), (place, _ID * _PLACE), (position, _ID))
    return sum((sa.type_coerce(part, sa.BigInteger) * sa.literal(weight, sa.BigInteger) for part, weight in parts),
               start=sa.func.coalesce(a.id, 0))  # fmt: skip


def _affordable(routing: Routing, currency: str) -> sa.ColumnElement[bool]:
    """Whether the contact's tier pays for the channel of the address."""
    channel = address.c.channel
    others = sa.true() if routing.others is None else channel.in_(routing.others)
    tiers = [(_belongs(routing, tier, currency), channel.in_(tier.channels)) for tier in routing.tiers]
    return sa.case(*tiers, else_=others) if tiers else others


def tier_of(routing: Routing, known: Mapping[str, Any], currency: str) -> ValueTier | None:
    """The tier of a contact with the score *known* (columns of `score`); None: it is in none."""
    if routing.by == "stage":
        return next((tier for tier in routing.tiers if known.get("stage") in tier.stages), None)
    worth = known.get(routing.by)
    ends = {tier.name: _ends(tier, currency) for tier in routing.tiers}
    inside = (tier for tier in routing.tiers if worth is not None and _within(worth, *ends[tier.name]))
    return next(inside, None)


def _within(worth: int, low: int | None, high: int | None) -> bool:
    return (low is None or worth >= low) and (high is None or worth < high)


def _ends(tier: ValueTier, currency: str) -> tuple[int | None, int | None]:
    """From where to where the tier reaches, in minor units."""
    unit = 10 ** decimals(currency)
    low, high = (None if end is None else int(end * unit) for end in (tier.from_, tier.to))
    return low, high


def _belongs(routing: Routing, tier: ValueTier, currency: str) -> sa.ColumnElement[bool]:
    """Whether the contact, joined with its score, belongs to *tier*."""
    if routing.by == "stage":
        return score.c.stage.in_(tier.stages)
    worth, (low, high) = score.c[routing.by], _ends(tier, currency)
    return sa.and_(
        worth.is_not(None), sa.true() if low is None else worth >= low, sa.true() if high is None else worth < high
    )


class _Least(sa.sql.functions.FunctionElement[int]):
    """The number of the row that `_first` keeps."""

    name = "least_number"
    type = sa.BigInteger()
    inherit_cache = True


@compiles(_Least, "sqlite")
def _of_sqlite(element: _Least, compiler: Any, **kw: Any) -> str:
    return f"min({compiler.process(element.clauses, **kw)})"


@compiles(_Least, "postgresql")
def _of_postgresql(element: _Least, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))
