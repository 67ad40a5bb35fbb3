"""Segments in words, and judged for one contact."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.segment.conftest import MOMENT, NOW, Person, World, write
from vinculo.errors import NotFound
from vinculo.model import EventKind
from vinculo.segment import Segment, Verdict, compile_segment, explain, explain_contact, json_schema
from vinculo.segment.read.field import KEYS
from vinculo.segment.wording.dictionary import EVENTS

SEGMENTS = {
    "quiet": Segment(
        name="quiet",
        who={
            "all": [
                {"country": {"in": ["BR", "PT"]}},
                {"value": {"between": [10, 20.5]}},
                {"did": {"event": "purchased", "at_least": 2, "within": "1 year"}},
                {"not": {"did": {"event": "purchased", "within": "90 days"}}},
                {"not": {"segment": "staff"}},
            ]
        },
    ),
    "staff": Segment(name="staff", who={"kind": "staff"}),
}


def test_a_segment_is_told_in_three_languages() -> None:
    assert explain(SEGMENTS, "quiet", "pt-BR") == [
        "tudo isto vale:",
        "  país é BR ou PT",
        "  valor comprado fica entre 10,00 e 20,50",
        "  comprou, pelo menos 2 vezes, nos últimos 365 dias",
        "  não: comprou, nos últimos 90 dias",
        "  isto não vale:",
        "    está no segmento staff:",
        "      tipo é staff",
    ]
    assert explain(SEGMENTS, "quiet", "en")[3] == "  bought, at least 2 times, in the last 365 days"
    assert explain(SEGMENTS, "quiet", "es")[4] == "  no: compró, en los últimos 90 días"


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "opened, exactly 1 time, in the last day, and bought within 3 hours after it"),
        ("pt", "abriu, exatamente 1 vez, no último dia, e comprou até 3 horas depois"),
        ("es", "abrió, exactamente 1 vez, en el último día, y compró como máximo 3 horas después"),
    ],
)
def test_one_and_several_agree_with_their_nouns(language: str, told: str) -> None:
    did = {"event": "opened", "exactly": 1, "within": "1 day", "then": {"event": "purchased", "within": "3h"}}
    assert _told({"did": did}, language) == told


def _told(who: dict[str, Any], language: str) -> str:
    (line,) = explain({"one": Segment(name="one", who=who, currency="BRL")}, "one", language)
    return line


@pytest.mark.parametrize(
    ("who", "en", "pt", "es"),
    [
        (
            {"did": {"event": "opened", "of_last": "5 newsletters", "at_least": 3}},  # newsletters are counted
            "opened, in answer to at least 3 of the last 5 of kind newsletter",
            "abriu, em resposta a pelo menos 3 das últimas 5 do tipo newsletter",
            "abrió, en respuesta a al menos 3 de las últimas 5 de tipo newsletter",
        ),
        (
            {"did": {"event": "clicked", "of_last": "1 newsletter"}},
            "clicked, in answer to the last one of kind newsletter",
            "clicou, em resposta à última do tipo newsletter",
            "hizo clic, en respuesta a la última de tipo newsletter",
        ),
        (
            {"did": {"event": "visited", "after": "1 year ago", "before": "36 hours ago"}},
            "visited, in the last 365 days, more than 36 hours ago",
            "visitou, nos últimos 365 dias, há mais de 36 horas",
            "visitó, en los últimos 365 días, hace más de 36 horas",
        ),
        (
            {"first_seen": {"before": "90 days ago"}},
            "first seen more than 90 days ago",
            "primeiro contato há mais de 90 dias",
            "primer contacto hace más de 90 días",
        ),
        (
            {"first_seen": {"after": "1 hour ago"}},
            "first seen in the last hour",
            "primeiro contato na última hora",
            "primer contacto en la última hora",
        ),
        (
            {"consent": {"topic": "news", "channel": "sms", "state": "withdrawn"}},
            "said no to news by sms",
            "disse não a news por sms",
            "dijo no a news por sms",
        ),
        (
            {"consent": {"topic": "news", "state": "expired"}},
            "the yes to news has run out",
            "o sim a news expirou",  # venceu would say that it has won
            "el sí a news caducó",
        ),
        ({"traits": {"ativo": True}}, "trait ativo is true", "característica ativo é verdadeiro", "característica ativo es verdadero"),
        (
            {"alive": {"less_than": 0.3}},
            "probability of buying again is less than 0.3",
            "probabilidade de comprar de novo é menor que 0,3",
            "probabilidad de volver a comprar es menor que 0,3",
        ),
        (
            {"next_at": {"in_next": "36 hours"}},
            "expected next purchase in the next 36 hours",
            "próxima compra prevista nas próximas 36 horas",
            "próxima compra prevista en las próximas 36 horas",
        ),
        ({"owner": {"is": "missing"}}, "owner is missing", "não tem responsável", "no tiene responsable"),
        ({"birthday": "today"}, "has a birthday today", "faz aniversário hoje", "cumple años hoy"),
    ],
)  # fmt: skip
def test_what_is_said_is_what_a_native_says(who: dict[str, Any], en: str, pt: str, es: str) -> None:
    assert [_told(who, language) for language in ("en", "pt", "es")] == [en, pt, es]


@pytest.mark.parametrize(
    ("said", "told"), [("5000 CLP", "5,000 CLP"), ("2.125 KWD", "2.125 KWD"), ("5 BRL", "5.00 BRL")]
)
def test_an_amount_has_the_decimals_of_its_currency(engine: sa.Engine, said: str, told: str) -> None:
    spent = {"spent": Segment(name="spent", who={"did": {"event": "purchased", "amount_at_least": said}})}
    assert f"for at least {told} in all" in " ".join(explain(spent, "spent", "en"))
    number, currency = told.split()
    exactly = int(re.sub("[.,]", "", number))  # minor units
    bought = {"kind": "purchased", "at": NOW, "amount": exactly, "currency": currency}
    with engine.begin() as db:
        write(db, World([Person(1, events=[bought])]))
        assert explain_contact(db, spent, "spent", MOMENT, 1)[0].holds


def test_every_event_has_its_words_in_every_language() -> None:
    for words in EVENTS.values():
        assert set(words) == set(EventKind)


@pytest.mark.parametrize(("language", "like"), [("pt_BR", "pt"), ("ES-AR", "es"), ("fr", "en"), ("est", "en")])
def test_whose_language_has_a_region_or_is_none_of_ours_is_told_in_ours(language: str, like: str) -> None:
    assert explain(SEGMENTS, "quiet", language) == explain(SEGMENTS, "quiet", like)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("es", "2,5"),
        ("es-mx", "2.5"),
        ("es_PE", "2.5"),
        ("pt-MX", "2,5"),
        ("en-US", "2.5"),
        ("es-XX", "2,5"),
        ("fr", "2.5"),
    ],
)
def test_decimals_are_written_as_the_country_writes_them(language: str, told: str) -> None:
    assert told in _told({"expected": {"at_least": 2.5}}, language)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("es", "compró, al menos 12.500,50 EUR en total, desde el 1 de enero de 2026, antes del 31 de diciembre de 2026"),
        ("es-MX", "compró, al menos 12,500.50 EUR en total, desde el 1 de enero de 2026, antes del 31 de diciembre de 2026"),
        ("pt", "comprou, pelo menos 12.500,50 EUR no total, a partir de 1 de janeiro de 2026, antes de 31 de dezembro de 2026"),
        ("en", "bought, for at least 12,500.50 EUR in all, from January 1, 2026 on, before December 31, 2026"),
        ("en-GB", "bought, for at least 12,500.50 EUR in all, from 1 January 2026 on, before 31 December 2026"),
    ],
)  # fmt: skip
def test_amounts_and_days_are_written_as_the_country_writes_them(language: str, told: str) -> None:
    did = {"event": "purchased", "amount_at_least": "12500.50 EUR", "after": "2026-01-01", "before": "2026-12-31"}
    assert _told({"did": did}, language) == told


def test_a_number_of_ones_own_is_written_without_thousands() -> None:
    assert _told({"traits": {"year": {"in": [2020, "G", True]}}}, "en") == "trait year is 2020 or G or true"
    assert _told({"frequency": {"at_least": 2500}}, "en") == "number of purchases is at least 2,500"
    assert _told({"birthdate": {"between": ["1990-01-01", "1999-12-31"]}}, "pt") == (
        "data de nascimento fica entre 1 de janeiro de 1990 e 31 de dezembro de 1999"
    )


def test_a_contact_is_judged_condition_by_condition(engine: sa.Engine) -> None:
    bought = [{"kind": "purchased", "at": NOW.replace(month=3)}, {"kind": "purchased", "at": NOW.replace(month=4)}]
    with engine.begin() as db:
        write(db, World([Person(1, {"country": "BR", "kind": "staff"}, score={"value": 1500}, events=bought)]))
        verdicts = explain_contact(db, SEGMENTS, "quiet", MOMENT, 1)
    assert [verdict.holds for verdict in verdicts] == [False, True, False, True, True, True, True, False, True, True]
    assert verdicts[0] == Verdict(0, "is in the segment quiet", holds=False)


def test_an_erased_contact_is_in_no_segment(engine: sa.Engine) -> None:
    with engine.begin() as db:
        write(db, World([Person(1, {"kind": "staff"}, erased=True)]))
        whole, alive, *_ = explain_contact(db, SEGMENTS, "staff", MOMENT, 1, language="pt")
        assert (whole.holds, alive) == (False, Verdict(1, "não foi apagado", holds=False))
        with pytest.raises(NotFound, match="#9"):
            explain_contact(db, SEGMENTS, "staff", MOMENT, 9)


def test_the_schema_knows_every_key_of_the_language() -> None:
    assert {*KEYS, "salt"} == set(json_schema()["$defs"]["condition"]["properties"])


def test_a_score_in_money_has_the_decimals_of_the_companys_currency(engine: sa.Engine) -> None:
    rich = {"rich": Segment(name="rich", who={"value": {"at_least": 5000}}, currency="CLP")}
    assert explain(rich, "rich", "en") == ["amount bought is at least 5,000 CLP"]
    with engine.begin() as db:
        write(db, World([Person(1, score={"value": 5000}), Person(2, score={"value": 4999})]))
        assert [explain_contact(db, rich, "rich", MOMENT, each)[0].holds for each in (1, 2)] == [True, False]


def test_an_amount_in_the_companys_currency_counts_what_foreign_purchases_were_worth(engine: sa.Engine) -> None:
    def bought(amount: int, currency: str, worth: int | None) -> dict[str, object]:
        return {"kind": "purchased", "at": NOW, "amount": amount, "currency": currency, "worth": worth}

    people = [
        Person(1, events=[bought(30_00, "BRL", None), bought(4_00, "USD", 22_00)]),
        Person(2, events=[bought(30_00, "BRL", None), bought(40_00, "XAF", None)]),  # without a rate
        Person(3, events=[bought(52_00, "USD", 280_00)]),
    ]
    spent = {
        name: Segment(name=name, who={"did": {"event": "purchased", "amount_at_least": said}}, currency="BRL")
        for name, said in (("home", 50), ("named", "50 BRL"), ("abroad", "50 USD"))
    }
    assert explain(spent, "home", "en") == explain(spent, "named", "en") == ["bought, for at least 50.00 BRL in all"]
    with engine.begin() as db:
        write(db, World(people))
        found = {name: set(db.scalars(compile_segment(spent, name, MOMENT))) for name in spent}
    assert found == {"home": {1, 3}, "named": {1, 3}, "abroad": {3}}
