"""The words of a report in English, Portuguese and Spanish."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: dict[str, tuple[str, str, str]] = {
    "report": ("Report", "Relatório", "Informe"),
    "occurrences": ("occurrences", "ocorrências", "ocurrencias"),
    "made": ("made on", "feito em", "hecho el"),
    "funnel": ("From the segment to the send", "Do segmento ao envio", "Del segmento al envío"),
    "segment": ("in the segment", "no segmento", "en el segmento"),
    "consented": ("may be asked", "com consentimento", "con consentimiento"),
    "reachable": ("reachable", "alcançáveis", "alcanzables"),
    "sent": ("sent", "enviados", "enviados"),
    "failed": ("failed", "falharam", "fallaron"),
    "reasons": ("Why not", "Por que não", "Por qué no"),
    "came_back": ("What came back", "O que voltou", "Lo que volvió"),
    "opened": ("opened", "abertos", "abiertos"),
    "clicked": ("clicked", "com clique", "con clic"),
    "human": ("by people", "por pessoas", "por personas"),
    "proxy": ("by mail providers", "por provedores", "por proveedores"),
    "machine": ("by machines", "por máquinas", "por máquinas"),
    "raw": ("every time (by anyone)", "todas as vezes (por qualquer um)", "todas las veces (por cualquiera)"),
    "unnamed": ("openings that name nobody", "aberturas que não nomeiam ninguém", "aperturas que no nombran a nadie"),
    "delivered": ("confirmed delivered", "entrega confirmada", "entrega confirmada"),
    "bounced": ("bounced", "devolvidos", "rebotados"),
    "replied": ("replied", "respondidos", "respondidos"),
    "auto_replied": ("answered by a machine", "resposta automática", "respuesta automática"),
    "unsubscribed": ("unsubscribed", "deixaram de receber", "dados de baja"),
    "complained": ("marked as spam", "marcados como spam", "marcados como spam"),
    "surveyed": ("answered the survey", "responderam à pesquisa", "respondieron la encuesta"),
    "survey": ("What they answered", "O que responderam", "Lo que respondieron"),
    "response_rate": ("response rate", "taxa de resposta", "tasa de respuesta"),
    "nps": ("net promoter score", "net promoter score", "net promoter score"),
    "csat": ("satisfied (4 or 5)", "satisfeitos (4 ou 5)", "satisfechos (4 o 5)"),
    "too_few": (
        "Too few have answered to say what the others think.",
        "Poucos responderam: não se pode dizer o que os outros pensam.",
        "Respondieron muy pocos: no se puede decir qué piensan los demás.",
    ),
    "effect": ("What it brought", "O que trouxe", "Lo que trajo"),
    "buyers": ("bought within 7 days", "compraram em 7 dias", "compraron en 7 días"),
    "revenue": ("revenue within 7 days", "receita em 7 dias", "ingresos en 7 días"),
    "attributed": (
        "Purchases by those we wrote to; they might have bought anyway.",
        "Compras de quem recebeu; talvez comprassem de qualquer modo.",
        "Compras de quienes lo recibieron; quizá habrían comprado igual.",
    ),
    "treated": ("meant to get it", "destinados a receber", "destinados a recibir"),
    "holdout": ("left out to measure", "grupo de controle", "grupo de control"),
    "lift": ("difference in buyers", "diferença de compradores", "diferencia de compradores"),
    "per_contact": ("difference per contact", "diferença por contato", "diferencia por contacto"),
    "no_holdout": (
        "No contacts were left out, so nobody can say what the campaign itself brought.",
        "Sem grupo de controle, não se pode dizer o que a campanha em si trouxe.",
        "Sin grupo de control, no se puede decir qué trajo la campaña en sí.",
    ),
    "not_yet": (
        "Nobody who was meant to get it has got it yet: there is nothing to compare with those left out.",
        "Ainda não foi enviado a nenhum dos destinados: não há o que comparar com o grupo de controle.",
        "Todavía no se envió a ninguno de los destinados: no hay nada que comparar con el grupo de control.",
    ),
    "no_decision": ("no decision", "sem decisão", "sin decisión"),
    "a_difference": ("a difference", "há diferença", "hay diferencia"),
    "variants": ("Variants", "Variantes", "Variantes"),
    "variant": ("variant", "variante", "variante"),
    "click_rate": ("click rate", "taxa de clique", "tasa de clics"),
    "against_first": ("against the first", "em relação à primeira", "frente a la primera"),
    "always_valid": (
        "These intervals hold however often one looks.",
        "Estes intervalos valem, não importa quantas vezes se olhe.",
        "Estos intervalos valen, sin importar cuántas veces se mire.",
    ),
    # why not
    "excluded": ("excluded by the campaign", "excluídos pela campanha", "excluidos por la campaña"),
    "no_address": ("no address", "sem endereço", "sin dirección"),
    "suppressed": ("address suppressed", "endereço suprimido", "dirección suprimida"),
    "no_consent": ("no consent", "sem consentimento", "sin consentimiento"),
    "too_costly": (
        "cost more than their value pays for",
        "custo acima do valor do contato",
        "costo por encima del valor del contacto",
    ),
    "reproach": ("reproach not dealt with", "reclamação em aberto", "queja sin resolver"),
    "paused": ("asked for a pause", "pediram pausa", "pidieron pausa"),
    "duplicate_address": ("same address as another", "mesmo endereço de outro", "misma dirección que otro"),
    "frequency_cap": ("had enough messages", "limite de frequência", "límite de frecuencia"),
    "quiet_hours": ("quiet hours", "horário de silêncio", "horas de silencio"),
    "render_error": ("template failed", "erro no modelo", "error en la plantilla"),
    "quarantined": ("three crashes", "três falhas", "tres fallos"),
    "bad_address": ("no such address", "endereço inexistente", "dirección inexistente"),
    "too_late": ("too old to send", "tarde demais para enviar", "demasiado tarde para enviar"),
    "written_off": ("given up while in doubt", "dados por perdidos", "dados por perdidos"),
    "merged": ("became part of another contact", "unidos a outro contato", "unidos a otro contacto"),
    "erased": ("contact erased", "contatos apagados", "contactos borrados"),
    "missed": ("came too late", "passou da hora", "llegó tarde"),
    "planned": ("still to be sent", "por enviar", "por enviar"),
    "claimed": ("being sent", "em envio", "enviándose"),
    "submitting": ("being handed over", "em entrega", "entregándose"),
    "deferred": ("to be tried again", "será tentado de novo", "se intentará de nuevo"),
    "rejected": ("rejected", "rejeitados", "rechazados"),
    "expired": ("expired", "expirados", "caducados"),
    "cancelled": ("cancelled", "cancelados", "cancelados"),
    "in_doubt": ("in doubt", "em dúvida", "en duda"),
}
_LANGUAGES = ("en", "pt", "es")


def words(language: str) -> Mapping[str, str]:
    """Return the words in *language* (`pt-BR` is `pt`); English for a language we do not have."""
    short = language.partition("-")[0].lower()
    place = _LANGUAGES.index(short) if short in _LANGUAGES else 0
    return {name: each[place] for name, each in _WORDS.items()}
