"""Tests of a send: marked copies to those who made it, of which neither the ledger nor the history knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vinculo import contacts
from vinculo.connector import InDoubt, Rejected, SendError
from vinculo.errors import NotReady, UsageError, VinculoError, did_you_mean
from vinculo.mail import normalise_address
from vinculo.project.schema import Campaign
from vinculo.render import Sending, sample_sending
from vinculo.run.needs import Needs
from vinculo.run.start import read_definition


def test_send(
    rt: Needs,
    data: Mapping[str, Any],
    addresses: Sequence[str],
    *,
    variants: Sequence[str] = (),  # noqa: PT028 - it is no test of ours
    languages: Sequence[str] = (),  # noqa: PT028
) -> int:
    """Send a marked copy of what `tested` names to each of *addresses*, once. Returns how many left.

    Each is written as for the contact with that address, else as for the template's sample contact. Raises
    `UsageError` for an address that is none or is refused, too, `NotReady` when the provider does not work now.
    """
    campaign = read_definition(rt, data)
    channel = campaign.channels[0]
    targets = list(dict.fromkeys(_address(rt, channel, address) for address in addresses))
    if not targets:
        raise UsageError("A test needs somebody to send to", "Give at least one address.")
    tried = [
        _trial(rt, campaign, address, variant, language)
        for address in targets
        for variant, language in tested(rt, campaign, variants, languages)
    ]
    keyed = (replace(each, key=f"{each.key}/{number}") for number, each in enumerate(tried))
    messages = [rt.renderer.message(each, test=True) for each in keyed]
    sent = 0
    try:
        with rt.connector(channel) as connector:
            for message in messages:
                connector.send(message)
                sent += 1
    except SendError as error:
        raise _not_sent(error, f" ({sent} of {len(messages)} had been sent)" if sent else "") from None
    return sent


def tested(rt: Needs, campaign: Campaign, variants: Sequence[str], languages: Sequence[str]) -> list[tuple[str, str]]:
    """Return what a test of *campaign* is of: each of *variants* (none: all) in each of *languages* (none: "", the
    contact's own), once however often it is named. Raises `UsageError` for a variant or language that is not there.
    """
    for name in variants:
        if name not in campaign.variants:
            raise UsageError(f"{campaign.name} has no variant `{name}`", did_you_mean(name, campaign.variants))
    arms, tongues = variants or campaign.variants or [""], languages or [""]
    made = list(dict.fromkeys((variant, tongue) for variant in arms for tongue in tongues))
    for variant, language in made:
        name, home = _template(campaign, variant), rt.project.settings.company.language
        if language and (read := rt.project.templates[name].spoken(campaign.channels[0], language, home)) != language:
            raise UsageError(
                f"templates/{name} has no part in `{language}`", f"Whoever speaks it reads the one in `{read}`."
            )
    return made


def _template(campaign: Campaign, variant: str) -> str:
    arm = campaign.variants.get(variant)
    return (arm.template if arm else None) or campaign.template


def _trial(rt: Needs, campaign: Campaign, address: str, variant: str, language: str) -> Sending:
    now, channel = rt.now(), campaign.channels[0]
    spoken = language or rt.project.settings.company.language
    sample = sample_sending(rt.project, _template(campaign, variant), channel, spoken, campaign)
    with rt.read() as db:
        found = contacts.find(db, address)
        contact = contacts.load(db, [found])[found] if found is not None else sample.contact
        score = contacts.scores(db, [found]).get(found, {}) if found is not None else sample.score
    return replace(
        sample,
        key=f"test/{campaign.name}/{now.timestamp():.0f}/{variant}/{language}",
        occurrence_key=f"{now:%Y-%m-%dT%H:%M}[UTC]",
        contact=replace(contact, language=language) if language else contact,
        address=address,
        variant=variant,
        score=score,
        at=now,
    )


def _not_sent(error: SendError, before: str) -> VinculoError:
    """What became of a test; *before*: what had left."""
    if isinstance(error, Rejected):
        return UsageError(f"The test was refused: {error.reason}{before}", "Mend the address or the template.")
    what = "had no answer, and may have arrived" if isinstance(error, InDoubt) else "was not sent"
    return NotReady(f"The test {what}: {error.reason}{before}", "`vinculo doctor` says what is not there.")


def _address(rt: Needs, channel: str, text: str) -> str:
    try:
        return normalise_address(channel, text, rt.project.settings.company.country)
    except ValueError as error:
        raise UsageError(f"`{text}` is no address for {channel}", str(error)) from None
