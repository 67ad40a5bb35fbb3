"""Messages that cannot be rendered: whether the contact or the template is at fault."""

from __future__ import annotations

import logging
from dataclasses import replace

import sqlalchemy as sa

from vinculo import ledger
from vinculo.errors import UsageError
from vinculo.ledger import Claim
from vinculo.model import SkipReason
from vinculo.render import RenderError, Replying, Sending, sample_sending
from vinculo.run.needs import Needs

log = logging.getLogger(__name__)
#: So many messages of one campaign in a row that fail at the same place, and it is the template's fault, though it does
#: not fail for its own sample.
BROKEN = 20


class Unfit:
    """The claims of one batch whose messages failed.

    *number*: how many contacts are left out for it; *left_out*: those of them of which the database does not know;
    *paused*: the campaigns that cannot be rendered for anybody, and why.
    """

    def __init__(self, rt: Needs) -> None:
        self.rt = rt
        self.number = 0
        self.paused: dict[str, str] = {}
        self._failing: list[tuple[Claim, RenderError]] = []
        #: Where messages failed, in which language and variant, that the template's own sample can be rendered in.
        self._sound: set[tuple[object, ...]] = set()
        self.left_out: list[tuple[Claim, RenderError]] = []

    def fails(self, claim: Claim, error: RenderError, sending: Sending | None, *, planned: bool) -> None:
        """Keep *claim* until it is known whether the contact or the template is at fault.

        *sending*: what failed; None: its contact is gone, or its campaign cannot be read, where it is not *planned*.
        """
        if sending is not None and self._astray(claim, sending):
            self._failing.append((claim, error))
            self.passes()
            return
        told = "" if planned else "it was planned by another Vinculo: cancel it"
        if planned and sending is not None and (same := self._fails_for_all(claim, error, sending)):
            told = f"its template fails: {same}"
        if told:
            self.passes()
            self._pause(claim.key.campaign, told)
            return
        if self._failing and _fault(*self._failing[-1]) != _fault(claim, error):
            self.passes()
        self._failing.append((claim, error))
        if len(self._failing) >= BROKEN:
            self._pause(claim.key.campaign, f"its template fails: {error}")

    def passes(self) -> None:
        """It is the contacts' fault: others' messages can be rendered, or too few failed to tell."""
        if self._failing:
            if not self.number:  # one that fails for many would fill the log
                # Without the reason, which may quote the contact: logs go to Prefect. `vinculo why` tells it.
                log.warning("%s cannot be rendered", self._failing[0][0].key)
            self.number += len(self._failing)
            self.left_out += self._failing
            self._failing = []

    def skip(self, db: sa.Connection) -> None:
        """Leave the contacts out whose fault it is; `skipped` once that is committed."""
        for claim, error in self.left_out:
            ledger.skip(db, claim, SkipReason.RENDER_ERROR, str(error), self.rt.now())

    def skipped(self) -> None:
        """What `skip` wrote is durable."""
        self.left_out = []

    def _astray(self, claim: Claim, sending: Sending) -> bool:
        """Whether it asks to confirm on a channel without a part of the template, which others have.

        Such a message goes where its contact chose, not where a campaign says: it is no reason to ask nobody else.
        """
        project = self.rt.project
        confirm = project.policy.confirm
        asks = project.asks if confirm and claim.key.campaign in confirm.campaigns else ()
        return bool(asks) and sending.channel not in asks

    def _fails_for_all(self, claim: Claim, error: RenderError, sending: Sending) -> str:
        """How the template fails for its own sample too, in this contact's language: it was changed meanwhile.

        Empty where it does not, or its sample cannot tell. The words are of the sample, and quote nobody.
        """
        if isinstance(sending, Replying):  # each answer has a template of its own, or a person's words
            return ""
        campaign, language = sending.campaign, sending.contact.language
        case = *_fault(claim, error), language, sending.variant
        if case in self._sound:
            return ""
        variant = campaign.variants.get(sending.variant)
        template = (variant.template if variant else None) or campaign.template
        if template not in self.rt.project.templates:
            return f"there is no template `{template}`"
        if sample := self._sample(template, sending):
            contact = replace(sample.contact, language=language)
            try:
                self.rt.renderer.message(replace(sample, contact=contact, variant=sending.variant))
            except RenderError as same:
                return str(same)
        self._sound.add(case)
        return ""

    def _sample(self, template: str, sending: Sending) -> Sending | None:
        """The sample as `begin` has tried it: what it says for other languages nobody has proved. None: it is wrong."""
        project = self.rt.project
        if not project.templates[template].sample:
            return None
        try:
            language = project.settings.company.language
            return sample_sending(project, template, sending.channel, language, sending.campaign)
        except (UsageError, TypeError, ValueError, AttributeError):
            return None

    def _pause(self, campaign: str, told: str) -> None:
        """Stop a campaign that fails for everybody. Nobody is left out: all are given back and wait."""
        self._failing = []
        self.paused[campaign] = told
        log.error("%s is paused: it cannot be rendered", campaign)
        with self.rt.begin() as db:
            ledger.pause(db, campaign, self.rt.now(), told)


def _fault(claim: Claim, error: RenderError) -> tuple[object, ...]:
    """Where a message fails: the same campaign at the same place of its template, else for the same reason."""
    return claim.key.campaign, error.template, error.line, "" if error.line else error.reason
