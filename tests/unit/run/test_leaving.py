"""What does not leave: messages in quiet hours, of a template that fails for everybody, of one contact that fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.unit.run.conftest import SECRET, Clock
from vinculo import ledger, optin, run
from vinculo.db.tables import contact, delivery, occurrence
from vinculo.errors import NotReady
from vinculo.project import load
from vinculo.project.schema import QuietHours
from vinculo.render import RenderError
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink
from vinculo.testing.store import add_contact


def _begin(rt: Runtime) -> None:
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, campaign, rt.now())
    assert occurrence
    run.begin(rt, campaign, occurrence)


def _people(rt: Runtime, count: int) -> None:
    with rt.begin() as db:
        for number in range(20, 20 + count):
            add_contact(db, key=f"c{number:02}", email=f"contato{number}@correio.example", consent=["news"])


def _break(rt: Runtime, monkeypatch: pytest.MonkeyPatch, *broken: str) -> None:
    """Let the messages to these given names fail at one place of the template; none given: all do."""
    whole = rt.renderer.message

    def message(sending, **options):
        if not broken or sending.contact.given_name in broken:
            raise RenderError("`nome` is undefined", template="hello/email.html", line=3)
        return whole(sending, **options)

    monkeypatch.setattr(rt.renderer, "message", message)


def _counts(rt: Runtime) -> dict[tuple[str, str], int]:
    with rt.read() as db:
        return ledger.counts(db, "weekly")


def test_a_template_that_fails_for_everybody_pauses_its_campaign_and_nobody_is_lost(
    rt: Runtime, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    _people(rt, 5)
    _begin(rt)
    with monkeypatch.context() as patch:
        _break(rt, patch)
        with pytest.raises(NotReady, match=r"weekly is paused.*`nome` is undefined"):
            run.drain(rt, worker="w")
    assert _counts(rt) == {("planned", ""): 25}
    assert run.drain(rt, worker="w") == {}
    with rt.begin() as db:
        ledger.resume(db, "weekly", rt.now())
    assert run.drain(rt, worker="w") == {"accepted": 25}


def test_so_does_one_that_fails_for_many_in_a_row_though_not_for_its_sample(
    rt: Runtime, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    _begin(rt)
    _break(rt, monkeypatch, *(f"Nome{number}" for number in range(20)))
    with pytest.raises(NotReady, match=r"weekly is paused.*`nome` is undefined"):
        run.drain(rt, worker="w")
    assert _counts(rt) == {("planned", ""): 20}


def test_the_last_few_of_a_campaign_that_was_paused_for_it_are_not_left_out(
    rt: Runtime, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are too few to tell by themselves that it is the template's fault."""
    _people(rt, 5)
    _begin(rt)
    with monkeypatch.context() as patch:
        _break(rt, patch, "", *(f"Nome{number}" for number in range(20)))
        with pytest.raises(NotReady, match="weekly is paused"):
            run.drain(rt, worker="w")
    assert _counts(rt) == {("planned", ""): 25}


def test_who_was_to_be_asked_where_the_template_has_no_part_any_more_keeps_nobody_else_from_being_asked(
    rt: Runtime, sink: SmtpSink
) -> None:
    """The contact chose the channel, not a campaign: the message is left out alone, however many there are."""
    policy = rt.project.root / "plan/policy.yaml"
    policy.write_text(f"{policy.read_text()}confirm: {{topics: [offers], template: asks}}\n")
    shutil.copytree(rt.project.root / "templates/hello", rt.project.root / "templates/asks")
    gateway = {
        "VINCULO__GATEWAY__URL": "http://127.0.0.1:9",
        "VINCULO__GATEWAY__TOKEN": "x",
        "VINCULO__SECRET_KEY": SECRET,
    }
    before = load(rt.project.root, {**gateway, "VINCULO__SMTP__URL": rt.project.settings.options["smtp"]["url"]})
    with rt.begin() as db:
        for number in range(25):
            who = add_contact(db, key=f"t{number}", email=f"t{number}@e.org", phone=f"+55119999900{number:02}")
            channel = ("sms", "email")[number % 2]
            assert optin.ask(db, before, who, channel, "offers", rt.now(), source="form") == "asked"
    (rt.project.root / "templates/asks/sms.txt").unlink()
    after = load(rt.project.root, {**gateway, "VINCULO__SMTP__URL": before.settings.options["smtp"]["url"]})
    assert run.drain(Runtime(after, rt.engine, rt.now), worker="w") == {"accepted": 12, "render_error": 13}
    with rt.read() as db:
        assert ledger.counts(db, "confirm-offers") == {("accepted", ""): 12, ("skipped", "render_error"): 13}


def _remove(rt: Runtime) -> None:
    shutil.rmtree(rt.project.root / "templates/hello")


def _break_for_spaniards(rt: Runtime) -> None:
    email = rt.project.root / "templates/hello/email.html"
    email.with_name("email.es.html").write_text(email.read_text().replace("contact.given_name", "contact.nombre"))


def _mend(rt: Runtime) -> None:
    write_project(rt.project.root)
    (rt.project.root / "templates/hello/email.es.html").unlink(missing_ok=True)


@pytest.mark.parametrize("change", [_remove, _break_for_spaniards])
def test_a_template_that_is_removed_or_broken_in_mid_send_loses_not_even_the_last_few(
    rt: Runtime, sink: SmtpSink, change: Callable[[Runtime], None]
) -> None:
    """So few cannot fail twenty times in a row, and those of one language never do: others are between them."""
    with rt.begin() as db:
        db.execute(sa.update(contact).where(contact.c.key.in_(["c16", "c18"])).values(language="es"))
    _begin(rt)
    run.drain(rt, worker="w", stop=lambda: len(sink.received) >= 14)
    change(rt)
    files = load(rt.project.root, {"VINCULO__SECRET_KEY": SECRET}, whole=False)
    another = Runtime(replace(files, settings=rt.project.settings), rt.engine, rt.now)
    with pytest.raises(NotReady, match=r"weekly is paused, its template fails: .*\b(nombre|no template `hello`)"):
        run.drain(another, worker="w")
    counts = _counts(rt)
    assert set(counts) == {("accepted", ""), ("planned", "")}
    assert counts["planned", ""] >= 3
    _mend(rt)
    with rt.begin() as db:
        ledger.resume(db, "weekly", rt.now())
    run.drain(Runtime(rt.project, rt.engine, rt.now), worker="w")
    assert _counts(rt) == {("accepted", ""): 20}


@pytest.mark.parametrize(
    "sample",
    [
        "pt: {contact: {given_name: Ana, traits: {size: G}}}\nfr: {contact: {given_name: Ana}}\n",
        "es:\npt: {contact: {given_name: Ana, traits: {size: G}}}\n",
        "contact: {given_name: Ana, traits: {size: G}, tags: 5}\n",
        None,
    ],
)
def test_a_sample_that_says_too_little_stops_no_campaign_for_one_contact(
    rt: Runtime, sink: SmtpSink, sample: str | None
) -> None:
    _begin(rt)
    folder = rt.project.root / "templates/hello"
    email = folder / "email.html"
    email.write_text(email.read_text().replace("{{ contact.given_name }}", "{{ contact.traits.size }}"))
    (folder / "sample.yaml").write_text(sample) if sample else (folder / "sample.yaml").unlink()
    with rt.begin() as db:
        db.execute(sa.update(contact).values(traits={"size": "M"}))
        db.execute(sa.update(contact).where(contact.c.key == "c05").values(traits={}, language="fr"))
    files = load(rt.project.root, {"VINCULO__SECRET_KEY": SECRET}, whole=False)
    run.drain(Runtime(replace(files, settings=rt.project.settings), rt.engine, rt.now), worker="w")
    assert _counts(rt) == {("accepted", ""): 19, ("skipped", "render_error"): 1}


def test_contacts_that_fail_are_left_out_and_stop_nobody(
    rt: Runtime, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    _begin(rt)
    _break(rt, monkeypatch, "Nome0", "Nome7", "Nome8", "Nome19")
    assert run.drain(rt, worker="w") == {"accepted": 16, "render_error": 4}
    assert _counts(rt) == {("accepted", ""): 16, ("skipped", "render_error"): 4}


def test_a_name_that_no_reader_could_decode_stops_nobody_else(rt: Runtime, sink: SmtpSink) -> None:
    """Python's codecs of domain names do not replace what they cannot read, as the others do: they raise."""
    with rt.begin() as db:
        for key, name in (("c03", "=?idna?b?w6c=?="), ("c04", "=?punycode?b?w6c=?="), ("c05", "=?undefined?q?x?=")):
            db.execute(sa.update(contact).where(contact.c.key == key).values(given_name=name))
    _begin(rt)
    assert run.drain(rt, worker="w") == {"accepted": 20}


def test_a_contact_that_is_gone_stops_nobody(rt: Runtime, monkeypatch: pytest.MonkeyPatch, sink: SmtpSink) -> None:
    _begin(rt)
    load = run.sending.contacts.load_scored
    monkeypatch.setattr(run.sending.contacts, "load_scored", lambda db, ids, _: load(db, sorted(ids)[1:]))
    assert run.drain(rt, worker="w") == {"accepted": 19, "render_error": 1}
    assert _counts(rt) == {("accepted", ""): 19, ("skipped", "render_error"): 1}


def test_a_campaign_whose_definition_cannot_be_read_stops_no_other(rt: Runtime, sink: SmtpSink) -> None:
    _begin(rt)
    run.drain(rt, worker="w", stop=lambda: len(sink.received) >= 14)
    done = _counts(rt)
    with rt.begin() as db:
        db.execute(sa.update(occurrence).values(definition={"kind": "newsletter", "of": "a later Vinculo"}))
    with pytest.raises(NotReady, match="planned by another Vinculo"):
        run.drain(rt, worker="w")
    assert _counts(rt) == done
    assert done["planned", ""] > 0


def test_what_comes_in_quiet_hours_waits_for_their_end(rt: Runtime, sink: SmtpSink, clock: Clock) -> None:
    """It is noon UTC: 21:00 in Tokyo, 09:00 in São Paulo, where the others are known to be."""
    with rt.begin() as db:
        db.execute(sa.update(contact).values(timezone="America/Sao_Paulo"))
        db.execute(sa.update(contact).where(contact.c.key == "c03").values(timezone="Asia/Tokyo"))
    _begin(rt)
    quiet = QuietHours.model_validate({"from": "20:00", "to": "08:00"})
    rt.project.policy.quiet_hours.append(quiet)
    try:
        assert run.drain(rt, worker="w") == {"accepted": 19}
        with rt.read() as db:
            row = db.execute(sa.select(delivery).where(delivery.c.state == "planned")).one()
        assert (row.address, row.due_at - rt.now()) == ("contato3@correio.example", timedelta(hours=11))
        clock.forward(hours=11)
        assert run.drain(rt, worker="w") == {"accepted": 1}  # it is eight in Tokyo
        assert len(sink.received) == 20
    finally:
        rt.project.policy.quiet_hours.remove(quiet)
