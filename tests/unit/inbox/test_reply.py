"""The text of a reply, without the message it answers and without the signature: Portuguese, Spanish, English."""

import pytest

from vinculo.inbox.reply import reply_text

_QUOTES = {
    "gmail, English": "On Tue, Dec 1, 2026 at 9:00 AM Shop <news@shop.example> wrote:\n\n> Hello",
    "gmail, folded": "On Tue, Dec 1, 2026 at 9:00 AM The Shop of a Long Name\n<news@shop.example>\nwrote:\n> Hello",
    "gmail, Portuguese": "Em ter., 1 de dez. de 2026 às 09:00, Loja <news@shop.example>\nescreveu:\n\n> Olá",
    "apple, Portuguese": "> No dia 1 de dez. de 2026, às 09:00, Loja <news@shop.example> escreveu:\n>\n> Olá",
    "gmail, Spanish": "El mar, 1 dic 2026 a las 9:00, Tienda (<news@shop.example>) escribió:\n\n> Hola",
    "outlook, English": "________________________________\nFrom: Shop <news@shop.example>\nSent: Tuesday\nTo: Ana\nSubject: News\n\nHello",
    "outlook, Portuguese": "De: Loja <news@shop.example>\nEnviado: terça-feira\nPara: Ana\nAssunto: Novidades\n\nOlá",
    "outlook, Spanish": "De: Tienda <news@shop.example>\nEnviado el: martes\nPara: Ana\nAsunto: Novedades\n\nHola",
    "forwarded": "-----Mensagem original-----\nDe: Loja\nOlá",
    "quotes alone": "> Hello\n> there",
}
_SIGNATURES = [
    "-- \nAna Souza\nDiretora",
    "Sent from my iPhone",
    "Enviado do meu iPhone",
    "Enviado desde mi móvil",
    "Get Outlook for Android",
]


@pytest.mark.parametrize("name", _QUOTES)
def test_the_message_answered_is_cut_off(name: str) -> None:
    assert reply_text(f"Muito obrigada!\n\nAna\n\n{_QUOTES[name]}\n") == "Muito obrigada!\n\nAna"


@pytest.mark.parametrize("signature", _SIGNATURES)
def test_the_signature_is_cut_off(signature: str) -> None:
    assert reply_text(f"Perfecto, gracias.\n\n{signature}\n") == "Perfecto, gracias."


@pytest.mark.parametrize(
    "text",
    [
        "On Monday I will come.\nTo be sure, call me.",
        "Meu marido escreveu que não recebeu nada.",
        "A list:\n- one\n- two",
        "I was sent from my home to the office and nobody wrote.",
        "De fato, gostei.",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    assert reply_text(text) == text


def test_answers_between_the_quotes_stay() -> None:
    assert reply_text("> Size?\nMedium.\n> Colour?\nBlue.") == "Medium.\nBlue."


@pytest.mark.parametrize("name", [name for name in _QUOTES if "quotes alone" not in name and "forwarded" not in name])
def test_words_right_above_the_quote_stay(name: str) -> None:
    if not _QUOTES[name].startswith((">", "_")):
        assert reply_text(f"Sim.\nQuero dois pacotes\n{_QUOTES[name]}\n") == "Sim.\nQuero dois pacotes"


@pytest.mark.parametrize("ruler", ["====", "-----", "* * *".replace(" ", ""), "~~~~"])
def test_a_ruler_at_the_end_says_nothing(ruler: str) -> None:
    assert reply_text(f"Combinado.\n\n{ruler}\n") == "Combinado."
