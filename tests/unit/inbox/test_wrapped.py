"""A bounce finds its delivery by the return path, however forwarders and filters have rewritten it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.unit.inbox.letters import dsn
from vinculo.inbox import to_events
from vinculo.inbox.listener import Doorkeeper
from vinculo.signing import Signer

SIGNER = Signer("a secret key for these tests")
TOKEN = SIGNER.mail_token("bounce", 7)
DOOR = Doorkeeper(["bounces@shop.example"], SIGNER)
AT = datetime(2026, 3, 3, 12, tzinfo=UTC)

#: Local parts, with our address `bounces+TOKEN@shop.example` somewhere in them.
FORMS = {
    "as we wrote it": "bounces+{}",
    "RFC 5321 lets case be lost": "BOUNCES+{}",
    "SRS0 (libsrs2, postsrsd)": "SRS0=HHHH=TT=shop.example=bounces+{}",
    "SRS0 with plus": "SRS0+HHHH=TT=shop.example=bounces+{}",
    "SRS0 with minus": "SRS0-HHHH=TT=shop.example=bounces+{}",
    "SRS0 in small letters": "srs0=hhhh=tt=shop.example=bounces+{}",
    "SRS1, forwarded twice": "SRS1=HHHH=first.example==GGGG=TT=shop.example=bounces+{}",
    "SRS of Exchange Online": "ana+SRS=aBcDe=FG=shop.example=bounces+{}",
    "BATV, tag first (draft-levine-smtp-batv)": "prvs=0123456789=bounces+{}",
    "BATV, tag last": "prvs=bounces+{}=0123456789",
    "BATV of Barracuda": "btv1==012abcdef==bounces+{}",
    "BATV of Momentum": "msprvs1=18abcDEFghi=bounces+{}",
    "BATV around SRS": "prvs=0123456789=SRS0=HHHH=TT=shop.example=bounces+{}",
    "VERP of a list around ours": "list-bounces+bounces+{}=shop.example",
    "VERP with minus": "list-return-42-bounces+{}=shop.example",
    "quoted": '"bounces+{}"',
    "SRS, quoted": '"SRS0=HHHH=TT=shop.example=bounces+{}"',
    "percent hack": "bounces+{}%shop.example",
    "bang path": "shop.example!bounces+{}",
}


@pytest.mark.parametrize("letters", [str.lower, str.upper, str.swapcase], ids=["lower", "upper", "swapped"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_rewritten_return_path_still_names_its_delivery(form: str, letters: object) -> None:
    local = form.format(letters(TOKEN))
    for to in (
        f"{local}@forwarder.example",
        f"<{local}@forwarder.example>",
        f"Mail System <{local}@forwarder.example>",
    ):
        (event,) = to_events(dsn(to), source="smtp", received_at=AT, signer=SIGNER)
        assert (event.kind, event.delivery) == ("bounced", 7)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_door_admits_them_at_our_domain_and_nowhere_else(form: str) -> None:
    assert DOOR.admits(f"{form.format(TOKEN)}@shop.example")
    assert not DOOR.admits(f"{form.format(TOKEN)}@forwarder.example")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_token_that_is_not_whole_or_not_ours_opens_nothing(form: str) -> None:
    strange = Signer("another secret, not ours").mail_token("bounce", 7)
    flipped = ("b" if TOKEN[9] != "b" else "c").join([TOKEN[:9], TOKEN[10:]])
    for token in (strange, flipped, TOKEN[:-1], f"{TOKEN}a", SIGNER.mail_token("survey", 7)):
        assert not DOOR.admits(f"{form.format(token)}@shop.example")
        (event,) = to_events(dsn(f"{form.format(token)}@shop.example"), source="smtp", received_at=AT, signer=SIGNER)
        assert event.delivery is None


def test_each_delivery_has_a_return_path_of_its_own_within_64_octets() -> None:
    locals_ = {f"bounces+{SIGNER.mail_token('bounce', number)}" for number in (*range(1000), 2**63)}
    assert len(locals_) == 1001
    assert max(map(len, locals_)) <= 64  # RFC 5321 §4.5.3.1.1
