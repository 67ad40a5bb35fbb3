"""What a contact waits for does not wait for the next run of `deliver`."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import Town
from tests.unit.web.console.test_inbox import ask
from vinculo import conversation, ledger, run
from vinculo.db import instance
from vinculo.errors import NotReady
from vinculo.web.answering import answering, keep_sending, send_answers


def answered(town: Town, text: str = "R$ 400") -> int:
    number = ask(town, text)
    with town.rt.begin() as db:
        conversation.answer(db, town.rt.project, number, text, who="Lia", now=town.rt.now(), form="f" * 32)
    return number


def adopt(town: Town) -> None:
    """Each test's town is a copy, and a copy sends nothing."""
    with town.rt.begin() as db:
        instance.remember(instance.noted_in(town.rt.project.root), instance.adopt(db))


def test_an_answer_that_is_due_leaves_once_and_nothing_else_does(town: Town) -> None:
    adopt(town)
    answered(town)
    with town.rt.begin() as db:
        before = ledger.counts(db, "weekly")
    assert send_answers(town.rt) == {"accepted": 1}
    assert send_answers(town.rt) == {}
    with town.rt.read() as db:
        assert ledger.counts(db, "answer") == {("accepted", ""): 1}
        assert ledger.counts(db, "weekly") == before


def test_it_is_asked_for_again_and_again_until_the_end(town: Town) -> None:
    adopt(town)
    answered(town)
    turns = iter([False, False, True])
    keep_sending(town.rt, lambda: next(turns))
    with town.rt.read() as db:
        assert ledger.counts(db, "answer") == {("accepted", ""): 1}
    with answering(town.rt):  # it ends with the block, at once
        pass


def test_what_cannot_leave_is_said_and_stops_nothing(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    answered(town)
    with caplog.at_level(logging.WARNING):
        assert send_answers(town.rt) == {}
    assert "answers wait in the ledger" in caplog.text
    assert "this database is a copy" in caplog.text


def test_what_cannot_leave_is_said_once_until_it_can(
    town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter([True, True, True, False, True, True])

    def drain(*_: Any, **__: Any) -> Counter[str]:
        if next(fails):
            raise NotReady("no provider", "wait")
        return Counter()

    monkeypatch.setattr(ledger, "due_of", lambda *_: ["answer"])
    monkeypatch.setattr(run, "drain", drain)
    turns = iter([False] * 6 + [True])
    keep_sending(town.rt, lambda: next(turns))
    assert caplog.text.count("no provider") == 2


@pytest.mark.parametrize(
    "wrong", [sa.exc.TimeoutError("secret"), ValueError("secret"), NotReady("no provider", "wait")]
)
def test_what_fails_for_one_campaign_holds_up_neither_the_others_nor_the_next_time(
    town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, wrong: Exception
) -> None:
    adopt(town)
    answered(town)
    due = ledger.due_of
    monkeypatch.setattr(ledger, "due_of", lambda *of: ["acknowledgement", *due(*of)])
    drain = run.drain

    def fails(*args: Any, campaign: str, **options: Any) -> Counter[str]:
        if campaign == "acknowledgement":
            raise wrong
        return drain(*args, campaign=campaign, **options)

    monkeypatch.setattr(run, "drain", fails)
    assert send_answers(town.rt) == {"accepted": 1}
    assert "answers wait in the ledger" in caplog.text
    assert "secret" not in caplog.text
