"""A test of a send: marked copies to who made it, through a real SMTP connection."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from vinculo import run
from vinculo.db.tables import delivery, interaction
from vinculo.errors import NotReady, UsageError, VinculoError
from vinculo.mail.verdict import Phase
from vinculo.project import load
from vinculo.runtime import Runtime
from vinculo.testing.smtp import DROP, SmtpSink


def test_a_test_send_is_marked_and_leaves_no_trace(rt: Runtime, sink: SmtpSink) -> None:
    assert run.test_send(rt, run.definition(rt, "weekly"), ["eu@casaaurora.example"]) == 1
    assert "[TEST" in sink.received[0].subject
    with rt.read() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(delivery)) == 0
        assert db.scalar(sa.select(sa.func.count()).select_from(interaction)) == 0


def test_a_test_shows_each_variant_each_in_each_language_that_is_asked_for(rt: Runtime, sink: SmtpSink) -> None:
    (rt.project.root / "templates/hello/email.html").write_text(
        "<title>{% block subject %}{{ contact.given_name }}{% endblock %}</title><p>{{ language }}</p>"
        '<a href="{{ links.unsubscribe }}">x</a>{{ company.postal_address }}'
    )
    arms = {"a": {"subject": "Bom dia"}, "b": {"subject": "Boa noite"}}
    definition = run.definition(rt, "weekly") | {"variants": arms}
    assert run.test_send(rt, definition, ["eu@casaaurora.example"]) == 2
    assert [mail.subject for mail in sink.received] == ["[TESTE a] Bom dia", "[TESTE b] Boa noite"]
    assert run.test_send(rt, definition, ["eu@casaaurora.example"], variants=["b"], languages=["en", "es"]) == 2
    assert [mail.subject for mail in sink.received[2:]] == ["[TEST b] Boa noite", "[PRUEBA b] Boa noite"]
    assert len({dict(mail.headers)["message-id"] for mail in sink.received}) == 4
    with pytest.raises(UsageError, match="weekly has no variant `c`"):
        run.test_send(rt, definition, ["eu@casaaurora.example"], variants=["c"])
    (rt.project.root / "templates/hello/email.html").rename(rt.project.root / "templates/hello/email.pt.html")
    known = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": rt.project.settings.secret_key}
    rt.project = load(rt.project.root, known)
    with pytest.raises(UsageError, match="templates/hello has no part in `es`"):
        run.test_send(rt, definition, ["eu@casaaurora.example"], languages=["pt", "es"])
    assert len(sink.received) == 4


def test_what_is_named_twice_is_tested_once(rt: Runtime, sink: SmtpSink) -> None:
    definition = run.definition(rt, "weekly") | {"variants": {"a": {"subject": "Bom dia"}, "b": {}}}
    who = ["eu@casaaurora.example", "eu@CASAAURORA.example"]
    assert run.test_send(rt, definition, who, variants=["a", "a"], languages=["en", "en"]) == 1
    assert [mail.subject for mail in sink.received] == ["[TEST a] Bom dia"]


def test_a_test_to_nobody_we_know_is_as_for_the_templates_sample(rt: Runtime, sink: SmtpSink) -> None:
    (rt.project.root / "templates/hello/sample.yaml").write_text(
        "contact: {given_name: Zuleica, traits: {brew: moka}}\nscore: {value: 4890}\n"
    )
    (rt.project.root / "templates/hello/email.html").write_text(
        "<title>{% block subject %}{{ contact.given_name }}, {{ contact.traits.brew }}, {{ score.value }}{% endblock %}"
        '</title><a href="{{ links.unsubscribe }}">x</a>{{ company.postal_address }}'
    )
    known = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": rt.project.settings.secret_key}
    rt.project = load(rt.project.root, known)
    assert run.test_send(rt, run.definition(rt, "weekly"), ["eu@casaaurora.example"]) == 1
    assert sink.received[0].subject == "[TESTE] Zuleica, moka, 4890"


def test_a_test_to_something_that_is_no_address_is_refused(rt: Runtime, sink: SmtpSink) -> None:
    with pytest.raises(UsageError, match="no address for email"):
        run.test_send(rt, run.definition(rt, "weekly"), ["nobody"])
    sink.fail(Phase.MAIL, "421 4.3.2 closing")
    with pytest.raises(NotReady, match="was not sent"):
        run.test_send(rt, run.definition(rt, "weekly"), ["eu@casaaurora.example"])


@pytest.mark.parametrize(
    ("reply", "told"), [("554 5.7.1 no", "was refused: .*"), (DROP, "had no answer, and may have arrived: .*")]
)
def test_a_test_that_fails_says_what_had_left(rt: Runtime, sink: SmtpSink, reply: str, told: str) -> None:
    sink.fail(Phase.ANSWER, "250 2.0.0 taken")
    sink.fail(Phase.ANSWER, reply)
    with pytest.raises(VinculoError, match=told + r" \(1 of 2 had been sent\)"):
        run.test_send(rt, run.definition(rt, "weekly"), ["eu@casaaurora.example", "tu@casaaurora.example"])
