"""The words of `segment explain`, by language."""

from __future__ import annotations

_KEYS = (
    "key kind given_name family_name language country region city timezone owner source first_seen birthdate tag stage "
    "recency frequency value r f m engagement alive expected lifetime_value nps csat trait "
    "preference"
)
_EVENTS = (
    "queued sent rejected failed deferred delivered bounced complained opened clicked replied auto_replied "
    "unsubscribed subscribed purchased visited surveyed scored merged parted inbound unknown"
)


def _named(keys: str, words: str) -> dict[str, str]:
    return dict(zip(keys.split(), words.split("|"), strict=True))


LABELS = {
    "en": _named(
        _KEYS,
        "key|kind|given name|family name|language|country|region|city|time zone|owner|source|first seen|date of birth"
        "|tag|stage|days since the last purchase|number of purchases|amount bought|recency score|frequency score"
        "|money score|engagement|probability of buying again|purchases expected in a year|amount expected in a year"
        "|last answer from 0 to 10|last answer from 1 to 5|trait|preference",
    ),
    "pt": _named(
        _KEYS,
        "chave|tipo|nome|sobrenome|idioma|país|região|cidade|fuso horário|responsável|origem|primeiro contato"
        "|data de nascimento|etiqueta|estágio|dias desde a última compra|número de compras|valor comprado"
        "|nota de recência|nota de frequência|nota de valor|engajamento|probabilidade de comprar de novo"
        "|compras esperadas em um ano|valor esperado em um ano|última resposta de 0 a 10"
        "|última resposta de 1 a 5|característica|preferência",
    ),
    "es": _named(
        _KEYS,
        "clave|tipo|nombre|apellido|idioma|país|región|ciudad|zona horaria|responsable|origen|primer contacto"
        "|fecha de nacimiento|etiqueta|etapa|días desde la última compra|número de compras|importe comprado"
        "|nota de recencia|nota de frecuencia|nota de valor|interacción|probabilidad de volver a comprar"
        "|compras esperadas en un año|importe esperado en un año|última respuesta de 0 a 10"
        "|última respuesta de 1 a 5|característica|preferencia",
    ),
}
EVENTS = {
    "en": _named(
        _EVENTS,
        "message queued|message sent|message refused by the provider|message failed|message deferred|message delivered"
        "|message bounced|complained|opened|clicked|replied|answered automatically|unsubscribed|subscribed|bought"
        "|visited|answered a survey|was scored|was merged|was parted|wrote to us|other event",
    ),
    "pt": _named(
        _EVENTS,
        "mensagem na fila|mensagem enviada|mensagem recusada pelo provedor|mensagem falhou|mensagem adiada"
        "|mensagem entregue|mensagem devolvida|reclamou|abriu|clicou|respondeu|respondeu automaticamente|cancelou"
        "|inscreveu-se|comprou|visitou|respondeu a uma pesquisa|foi avaliado|foi unido|foi separado"
        "|escreveu para nós|outro evento",
    ),
    "es": _named(
        _EVENTS,
        "mensaje en cola|mensaje enviado|mensaje rechazado por el proveedor|mensaje fallido|mensaje aplazado"
        "|mensaje entregado|mensaje devuelto|se quejó|abrió|hizo clic|respondió|respondió automáticamente"
        "|se dio de baja|se suscribió|compró|visitó|respondió una encuesta|fue evaluado|fue unido|fue separado"
        "|nos escribió|otro evento",
    ),
}
_PHRASES = (
    "everyone all any not not_one in query or consent consent_on reachable sample birthday in_values missing present "
    "at_least at_most more_than less_than between contains starts_with within before after day days hour hours "
    "minute minutes time times exactly at_least_times at_most_times spent window from_day until_day campaign channel "
    "of_last then then_within ago consent_withdrawn consent_expired consent_none"
)
PHRASES = {
    "en": _named(
        _PHRASES,
        "everyone|all of these hold:|at least one of these holds:|this does not hold:|not: {words}"
        "|is in the segment {name}:|chosen by the SQL of {name}: {description}| or |consents to {topic}"
        "|consents to {topic} by {channel}|can be reached by {channels}|in a fixed sample of {percent}%{salt}"
        "|has a birthday within {days} day(s), today included|{label} is {value}|{label} is missing|{label} is there"
        "|{label} is at least {value}|{label} is at most {value}|{label} is more than {value}"
        "|{label} is less than {value}|{label} is between {low} and {high}|{label} contains “{value}”"
        "|{label} begins with “{value}”|{label} in the last {value}|{label} before {value}|{label} from {value} on"
        "|{number} day|{number} days|{number} hour|{number} hours"
        "|{number} minute|{number} minutes|{number} time|{number} times|exactly {times}"
        "|at least {times}|at most {times}|for at least {amount} {currency} in all|in the last {value}|from {value} on"
        "|before {value}|in the campaign {value}|by {value}|in answer to one of the last {number} of kind {kind}"
        "|and later {events}|and {events} within {value} after it|{value} ago|no longer: {words}|has run out: {words}"
        "|never answered: {words}",
    ),
    "pt": _named(
        _PHRASES,
        "todos|tudo isto vale:|pelo menos um destes vale:|isto não vale:|não: {words}|está no segmento {name}:"
        "|escolhido pelo SQL de {name}: {description}| ou |consente em {topic}|consente em {topic} por {channel}"
        "|pode ser alcançado por {channels}|em uma amostra fixa de {percent}%{salt}"
        "|faz aniversário em {days} dia(s), contando hoje|{label} é {value}|{label} falta|{label} existe"
        "|{label} é pelo menos {value}|{label} é no máximo {value}|{label} é mais de {value}"
        "|{label} é menos de {value}|{label} fica entre {low} e {high}|{label} contém “{value}”"
        "|{label} começa com “{value}”|{label} há no máximo {value}|{label} antes de {value}"
        "|{label} a partir de {value}"
        "|{number} dia|{number} dias|{number} hora|{number} horas|{number} minuto|{number} minutos|{number} vez"
        "|{number} vezes|exatamente {times}|pelo menos {times}|no máximo {times}"
        "|pelo menos {amount} {currency} no total|há no máximo {value}|a partir de {value}"
        "|antes de {value}|na campanha {value}|por {value}|em resposta a uma das últimas {number} do tipo {kind}"
        "|e depois {events}|e {events} em até {value} depois|{value} atrás|não mais: {words}|venceu: {words}"
        "|nunca respondeu: {words}",
    ),
    "es": _named(
        _PHRASES,
        "todos|se cumple todo esto:|se cumple al menos uno:|esto no se cumple:|no: {words}|está en el segmento {name}:"
        "|elegido por el SQL de {name}: {description}| o |consiente {topic}|consiente {topic} por {channel}"
        "|se le puede escribir por {channels}|en una muestra fija del {percent}%{salt}"
        "|cumple años en {days} día(s), contando hoy|{label} es {value}|{label} falta|{label} existe"
        "|{label} es al menos {value}|{label} es como máximo {value}|{label} es más de {value}"
        "|{label} es menos de {value}|{label} está entre {low} y {high}|{label} contiene “{value}”"
        "|{label} empieza con “{value}”|{label} hace {value} como máximo|{label} antes de {value}|{label} desde {value}"
        "|{number} día|{number} días|{number} hora|{number} horas|{number} minuto|{number} minutos|{number} vez"
        "|{number} veces|exactamente {times}|al menos {times}|como máximo {times}"
        "|al menos {amount} {currency} en total|hace {value} como máximo|desde {value}"
        "|antes de {value}|en la campaña {value}|por {value}|en respuesta a una de las últimas {number} de tipo {kind}"
        "|y después {events}|y {events} como máximo {value} después|hace {value}|ya no: {words}|venció: {words}"
        "|nunca respondió: {words}",
    ),
}
