"""The contract of a connector as tests: inherit, say what to test, add nothing.

    class TestGateway(ConnectorContract):
        address = "+5511987654321"
        channel = "sms"
        known = ("message.delivered", EventKind.DELIVERED)

        @pytest.fixture
        def provider(self):
            with GatewayFake() as fake:
                yield fake

        @pytest.fixture
        def make(self, provider):
            return lambda: Gateway(provider.url, provider.token, provider.webhook_secret)

What a connector does not claim to do is skipped, and the reason is printed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from vinculo.connector import (
    BadAddress,
    BadSignature,
    Connector,
    InDoubt,
    Outcome,
    Receipt,
    Rejected,
    SendError,
    Temporary,
    Unavailable,
)
from vinculo.model import EventKind, Mailbox, Message
from vinculo.testing.provider import Provider, Received

DECISIONS = [Temporary, Rejected, BadAddress, Unavailable, InDoubt]
TEXTS = {
    "emoji": "Até já 👋🏽🇧🇷",
    "right to left": "\u05e9\u05dc\u05d5\u05dd, \u200f\u0645\u0631\u062d\u0628\u0627",
    "several lines": "one\ntwo\n\nfour",
    "a lone dot": "before\n.\nafter\n..\n.end",
    "markup": "5 < 6 & \"quotes\" 'and' {{ braces }} %s",
    "long": "palavra " * 150 + "fim",
}
BREAKS = {
    "CRLF": "x\r\nBcc: spy@example.com",
    "LF": "x\nBcc: spy@example.com",
    "CR": "x\rBcc: spy@example.com",
    "folded": "x\r\n Bcc: a\r\nBcc: spy@example.com",
    "body": "x\r\n\r\nBcc: spy@example.com",
    "encoded word": "=?utf-8?q?x=0ABcc:_spy=40example.com?=",
    "line separator": "x\u2028Bcc: spy@example.com",
}


class ConnectorContract:
    """Inherit, set the class attributes, and give the fixtures `provider` and `make`."""

    #: An address that the provider takes, and the channel it is of.
    address: ClassVar[str] = "ana@example.com"
    channel: ClassVar[str] = "email"
    #: One of the provider's words for an event, and what it means here; None when it sends no webhooks.
    known: ClassVar[tuple[str, EventKind] | None] = None

    @pytest.fixture
    def provider(self) -> Provider:
        raise NotImplementedError("give a fixture `provider`: the far end, a `vinculo.testing.provider.Provider`")

    @pytest.fixture
    def make(self, provider: Provider) -> Callable[[], Connector]:
        raise NotImplementedError("give a fixture `make`: a function that returns a new connector to the provider")

    @pytest.fixture
    def connector(self, make: Callable[[], Connector]) -> Iterator[Connector]:
        with make() as connector:
            yield connector

    def message(self, number: int = 1, text: str = "Olá!", sender_name: str = "Loja", **fields: Any) -> Message:
        """Return a message; *number* tells it from others."""
        usual = Message(
            key=f"weekly/2026-12-01T09:00[America/Sao_Paulo]/{number}",
            channel=self.channel,
            to=self.address,
            text=text,
            subject="As novidades",
            sender=Mailbox(sender_name, "news@shop.example"),
            message_id=f"<m{number}@shop.example>",
            return_path="bounces@shop.example",
        )
        return replace(usual, **fields)

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────
    def test_names_its_channels(self, make: Callable[[], Connector]) -> None:
        connector = make()
        assert self.channel in connector.channels
        assert all(name == name.lower() and name.isidentifier() for name in connector.channels)
        assert connector.can.bulk >= 1

    def test_says_that_it_is_ready(self, make: Callable[[], Connector], provider: Provider) -> None:
        assert make().check() == []
        assert provider.received == []

    def test_hands_over_one_message(self, connector: Connector, provider: Provider) -> None:
        receipt = connector.send(self.message())
        assert isinstance(receipt, Receipt)
        assert [(each.to, each.text) for each in provider.received] == [(self.address, "Olá!")]
        if connector.can.subject and self.channel == "email":
            assert provider.received[0].subject == "As novidades"

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
    def test_text_arrives_unchanged(self, connector: Connector, provider: Provider, text: str) -> None:
        connector.send(self.message(text=text))
        assert [each.text for each in provider.received] == [text]

    @pytest.mark.parametrize("decision", DECISIONS)
    def test_a_refusal_becomes_its_decision(
        self, connector: Connector, provider: Provider, decision: type[SendError]
    ) -> None:
        _fail_next(provider, decision)
        with pytest.raises(SendError) as raised:
            connector.send(self.message())
        assert type(raised.value) is decision
        assert raised.value.reason
        assert len(provider.received) == (decision is InDoubt)

    @pytest.mark.parametrize("decision", DECISIONS)
    def test_one_refusal_does_not_spoil_the_batch(
        self, connector: Connector, provider: Provider, decision: type[SendError]
    ) -> None:
        def messages() -> Iterator[Message]:
            for number in range(1, 6):
                if number == 3:
                    _fail_next(provider, decision)
                yield self.message(number, text=f"number {number}")

        outcomes = list(connector.send_many(messages()))
        assert sorted(key for key, _ in outcomes) == sorted(self.message(number).key for number in range(1, 6))
        failed = [outcome for _, outcome in outcomes if not isinstance(outcome, Receipt)]
        assert [type(outcome) for outcome in failed] == [decision]
        assert len(provider.received) == 4 + (decision is InDoubt)

    def test_pulls_lazily(self, connector: Connector) -> None:
        pulled: list[str] = []
        answered: list[str] = []

        def messages() -> Iterator[Message]:
            for number in range(4 * connector.can.bulk):
                message = self.message(number)
                pulled.append(message.key)
                held = len(pulled) - len(answered)
                assert held <= connector.can.bulk, f"holds {held} unanswered messages, may hold {connector.can.bulk}"
                yield message

        outcomes = connector.send_many(messages())
        assert pulled == [], "pulls before it is asked for an answer"
        for key, _ in outcomes:
            answered.append(key)
        assert sorted(answered) == sorted(pulled)

    def test_every_answer_is_that_of_its_message(self, connector: Connector, provider: Provider) -> None:
        number = max(20, 4 * connector.can.bulk)
        messages = [self.message(each, text=f"number {each}") for each in range(number)]
        outcomes = list(connector.send_many(iter(messages)))
        assert sorted(key for key, _ in outcomes) == sorted(each.key for each in messages)
        assert [outcome for _, outcome in outcomes if not isinstance(outcome, Receipt)] == []
        assert sorted(each.text for each in provider.received) == sorted(each.text for each in messages)

    def test_the_one_that_is_refused_is_the_one_that_is_answered_so(
        self, connector: Connector, provider: Provider
    ) -> None:
        """Among many on their way at once, the provider's own record tells whose refusal it was."""

        def messages() -> Iterator[Message]:
            for number in range(6 * connector.can.bulk):
                if number == 3 * connector.can.bulk:
                    _fail_next(provider, BadAddress)
                yield self.message(number, text=f"number {number}")

        outcomes = dict(connector.send_many(messages()))
        taken = {f"number {key.rpartition('/')[2]}" for key, each in outcomes.items() if isinstance(each, Receipt)}
        assert [type(each) for each in outcomes.values() if not isinstance(each, Receipt)] == [BadAddress]
        assert sorted(each.text for each in provider.received) == sorted(taken)

    def test_a_caller_that_stops_asking_leaves_no_answer_to_the_next(self, connector: Connector) -> None:
        outcomes = connector.send_many(self.message(number) for number in range(3 * connector.can.bulk))
        next(iter(outcomes))
        close = getattr(outcomes, "close", None)
        if close is not None:
            close()
        assert [key for key, _ in connector.send_many([self.message(1000)])] == [self.message(1000).key]

    @pytest.mark.parametrize("text", BREAKS.values(), ids=BREAKS.keys())
    @pytest.mark.parametrize("field", ["subject", "to_name", "sender_name", "reply_to", "to", "key", "message_id"])
    def test_a_line_break_cannot_add_a_header(
        self, connector: Connector, provider: Provider, field: str, text: str
    ) -> None:
        values: dict[str, Any] = {field: self.address + text if field == "to" else text}
        try:
            connector.send(self.message(**values))
        except Rejected:
            assert provider.received == []
        assert not [each for each in provider.received if _has(each, "bcc") or "spy@example.com" in each.to]

    def test_the_same_key_is_delivered_once(self, connector: Connector, provider: Provider) -> None:
        if not connector.can.idempotent:
            pytest.skip("does not claim to be idempotent")
        first, second = connector.send(self.message()), connector.send(self.message())
        connector.send(self.message(2))
        assert first.provider_id == second.provider_id
        assert len(provider.received) == 2

    def test_what_is_in_doubt_can_be_sent_again_when_idempotent(self, connector: Connector, provider: Provider) -> None:
        if not connector.can.idempotent:
            pytest.skip("does not claim to be idempotent")
        _fail_next(provider, InDoubt)
        with pytest.raises(InDoubt):
            connector.send(self.message())
        connector.send(self.message())
        assert len(provider.received) == 1

    # ── its life ─────────────────────────────────────────────────────────────────────────────────────────────────
    def test_closes_twice_and_opens_again(self, make: Callable[[], Connector], provider: Provider) -> None:
        connector = make()
        connector.close()
        for number in (1, 2):
            connector.open()
            connector.send(self.message(number))
            connector.close()
            connector.close()
        assert len(provider.received) == 2

    def test_two_threads_send_with_two_instances(self, make: Callable[[], Connector], provider: Provider) -> None:
        outcomes: list[Outcome] = []

        def work(start: int) -> None:
            with make() as connector:
                messages = (self.message(number) for number in range(start, start + 10))
                outcomes.extend(outcome for _, outcome in connector.send_many(messages))

        threads = [threading.Thread(target=work, args=(start,)) for start in (0, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [type(outcome) for outcome in outcomes] == [Receipt] * 20
        assert len(provider.received) == 20

    def test_secrets_show_nowhere(
        self, make: Callable[[], Connector], provider: Provider, caplog: pytest.LogCaptureFixture
    ) -> None:
        if not provider.secrets:
            pytest.skip("needs no secret")
        shown: list[str] = []
        with caplog.at_level(logging.DEBUG), make() as connector:
            connector.send(self.message())
            for number, decision in enumerate(sorted(provider.fails_with, key=str)):
                _fail_next(provider, decision)
                with pytest.raises(SendError) as raised:
                    connector.send(self.message(number + 2))
                shown += [repr(raised.value), str(raised.value), raised.value.reason]
            shown += [repr(connector), caplog.text]
        for secret in provider.secrets:
            assert not [text for text in shown if secret in text]

    # ── what comes back ──────────────────────────────────────────────────────────────────────────────────────────
    def test_an_unsigned_webhook_is_refused(self, connector: Connector) -> None:
        with pytest.raises(BadSignature):
            connector.parse_webhook({"content-type": "application/json"}, b'{"events": []}')

    def test_an_altered_webhook_is_refused(self, connector: Connector, provider: Provider) -> None:
        headers, body = provider.webhook(self._known()[0], "weekly/x/1", self.address)
        connector.parse_webhook(headers, body)
        for place in range(0, len(body), 7):
            with pytest.raises(BadSignature):
                connector.parse_webhook(headers, body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])

    def test_a_webhook_becomes_an_event(self, connector: Connector, provider: Provider) -> None:
        word, kind = self._known()
        headers, body = provider.webhook(word, "weekly/x/1", self.address)
        (event,) = connector.parse_webhook(headers, body)
        assert (event.kind, event.key, event.address) == (kind, "weekly/x/1", self.address)
        assert event.at.tzinfo is not None
        assert event.raw == body
        assert event.id
        assert kind in connector.can.reports

    def test_an_unknown_kind_is_kept(self, connector: Connector, provider: Provider) -> None:
        self._known()
        headers, body = provider.webhook("teleported", "weekly/x/1", self.address)
        (event,) = connector.parse_webhook(headers, body)
        assert (event.kind, event.raw) == (EventKind.UNKNOWN, body)

    def test_a_replay_has_the_same_ids(self, connector: Connector, provider: Provider) -> None:
        word, _ = self._known()
        ids = [
            [event.id for event in connector.parse_webhook(*provider.webhook(word, key, self.address))]
            for key in ("weekly/x/1", "weekly/x/1", "weekly/x/2")
        ]
        assert ids[0] == ids[1] != ids[2]

    def test_a_poll_goes_on_from_its_cursor(self, connector: Connector) -> None:
        events, cursor = connector.poll("")
        again, _ = connector.poll(cursor)
        assert not {event.id for event in events} & {event.id for event in again}

    def _known(self) -> tuple[str, EventKind]:
        if self.known is None:
            pytest.skip("takes no webhooks")
        return self.known


def _fail_next(provider: Provider, decision: type[SendError]) -> None:
    if decision not in provider.fails_with:
        pytest.skip(f"the provider knows no way to make it {decision.__name__}")
    provider.fail_next(decision)


def _has(received: Received, header: str) -> bool:
    return any(name == header for name, _ in received.headers)
