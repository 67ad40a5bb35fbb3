"""R26, what people do in the simulated world while others send: those who are written to, and those who write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vinculo import consent, contacts, feedback, ledger
from vinculo.model import Event, EventKind
from vinculo.project.schema import Campaign
from vinculo.testing.store import SIGNER

if TYPE_CHECKING:
    from tests.torture.world import World

#: The hours that the campaign had, or may be given while it is sent: for the run of `World.start` each has its own
#: occurrence, and the ledger another row for everybody.
HOURS = ("09:00", "08:30", "07:15")


class Meanwhile:
    """People of one world. It remembers what they said, as they would."""

    def __init__(self, world: World, campaign: Campaign) -> None:
        self.world = world
        #: As the calendar has it now.
        self.campaign = campaign
        #: Address → since when nobody may write to it.
        self.left: dict[str, int] = {}
        self.suppressed: set[str] = set()
        #: Since when the campaign is paused or cancelled.
        self.stopped: int | None = None
        #: Who was joined to whom, the last at the end, and the addresses that may be written to again when they are parted.
        self.joined: list[tuple[int, int, set[str]]] = []

    def acts(self) -> list[tuple[Callable[[], None], int]]:
        """What they may do now, and how likely each is."""
        return [
            (self.pause, 2), (self.resume, 3), (self.cancel, 1), (self.leave, 3), (self.return_, 1), (self.suppress, 2),
            (self.tell, 4), (self.join, 2), (self.part, 1), (self.change, 1),
        ]  # fmt: skip

    def person(self, contact_id: int) -> int:
        """The contact that *contact_id* is part of, or it."""
        into = {joined: kept for kept, joined, _ in self.joined}
        while contact_id in into:
            contact_id = into[contact_id]
        return contact_id

    # ── those who write ──────────────────────────────────────────────────────────────────────────────────────────
    def pause(self) -> None:
        with self.world.operator.begin() as db:
            ledger.pause(db, self.campaign.name, self.world.now)
        self._stop()

    def resume(self) -> None:
        with self.world.operator.begin() as db:
            ledger.resume(db, self.campaign.name, self.world.now)
        self.stopped = None

    def cancel(self) -> None:
        if self.world.happens(0.3):
            with self.world.operator.begin() as db:
                ledger.cancel(db, self.campaign.name, self.world.now)
            self._stop()

    def _stop(self) -> None:
        self.stopped = self.world.time if self.stopped is None else self.stopped

    def change(self) -> None:
        """Give the campaign another hour; who was hired before knows the one it had."""
        when = self.campaign.when
        assert when is not None
        at = type(when).model_validate({"every": "tuesday", "at": self.world.chance.choice(HOURS)})
        self.campaign = self.campaign.model_copy(update={"when": at})

    def join(self) -> None:
        """Make one of two contacts: of two answers about consent the stricter holds."""
        living = sorted(set(self._addresses().values()))
        if len(living) < 3 or not self.world.planned():  # else who was joined before has no row
            return
        kept, joined = self.world.chance.sample(living, 2)
        with self.world.operator.begin() as db:
            contacts.merge(db, kept, joined, self.world.now)
        ours = {value for value, contact_id in self._addresses().items() if contact_id == kept}
        said_no = (ours & self.left.keys()) - self.suppressed
        fresh = ours - self.left.keys() if said_no else set[str]()
        self._leave(fresh)
        self.joined.append((kept, joined, fresh))

    def part(self) -> None:
        """Take the last merge back."""
        if self.joined:
            _, joined, free = self.joined.pop()
            with self.world.operator.begin() as db:
                contacts.part(db, f"#{joined}", self.world.now)
            for value in free - self.suppressed:
                self.left.pop(value, None)

    # ── those who are written to ─────────────────────────────────────────────────────────────────────────────────
    def leave(self) -> None:
        contact_id, values = self._somebody()
        self._leave(values)
        for *_, free in self.joined:
            free.difference_update(values)  # a no that came since holds for both
        with self.world.operator.begin() as db:
            consent.withdraw(db, contact_id, "email", "news", self.world.now, source="web", heard=self.world.now)

    def return_(self) -> None:
        """Say yes again."""
        contact_id, values = self._somebody()
        with self.world.operator.begin() as db:
            consent.grant(db, contact_id, "email", "news", self.world.now, source="web", heard=self.world.now)
        for value in values - self.suppressed:
            self.left.pop(value, None)

    def suppress(self) -> None:
        value = self.world.chance.choice(sorted(self._addresses()))
        self._leave({value})
        self.suppressed.add(value)
        with self.world.operator.begin() as db:
            consent.suppress(
                db, "email", SIGNER.hash("address", "email", value), "manual", "test", self.world.now
            )  # fmt: skip

    def tell(self) -> None:
        """The provider reports a message that it has: late, early, or twice."""
        world = self.world
        if world.taken:
            one = world.chance.choice(world.taken)
            kind = world.chance.choice([EventKind.DELIVERED, EventKind.OPENED])
            event = Event(kind, "test", f"{kind}-{one.delivery}", world.now, "email", delivery=one.delivery, raw=b"{}")
            with world.operator.begin() as db:
                feedback.receive(db, event, signer=SIGNER, now=world.now)

    def _somebody(self) -> tuple[int, set[str]]:
        """A contact, and its addresses."""
        everybody = self._addresses()
        contact_id = self.world.chance.choice(sorted(set(everybody.values())))
        return contact_id, {value for value, whose in everybody.items() if whose == contact_id}

    def _addresses(self) -> dict[str, int]:
        return dict(self.world.eye.execute("SELECT value, contact_id FROM address ORDER BY value"))

    def _leave(self, values: set[str]) -> None:
        for value in values:
            self.left.setdefault(value, self.world.time)
