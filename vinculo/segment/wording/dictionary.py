"""The words of `segment explain`, by language."""

from __future__ import annotations

_KEYS = (
    "key kind given_name family_name language country region city timezone owner source first_seen birthdate tag stage "
    "recency frequency value r f m engagement alive expected lifetime_value next_at nps csat trait "
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
        "|tag|stage|number of days since the last purchase|number of purchases|amount bought|recency score"
        "|frequency score|money score|engagement|probability of buying again|number of purchases expected in a year"
        "|amount expected in a year|expected next purchase|last answer from 0 to 10|last answer from 1 to 5|trait"
        "|preference",
    ),
    "pt": _named(
        _KEYS,
        "chave|tipo|nome|sobrenome|idioma|país|região|cidade|fuso horário|responsável|origem|primeiro contato"
        "|data de nascimento|etiqueta|estágio|número de dias desde a última compra|número de compras|valor comprado"
        "|nota de recência|nota de frequência|nota de valor|engajamento|probabilidade de comprar de novo"
        "|número de compras esperadas em um ano|valor esperado em um ano|próxima compra prevista"
        "|última resposta de 0 a 10"
        "|última resposta de 1 a 5|característica|preferência",
    ),
    "es": _named(
        _KEYS,
        "clave|tipo|nombre|apellido|idioma|país|región|ciudad|zona horaria|responsable|origen|primer contacto"
        "|fecha de nacimiento|etiqueta|etapa|número de días desde la última compra|número de compras|importe comprado"
        "|nota de recencia|nota de frecuencia|nota de valor|compromiso|probabilidad de volver a comprar"
        "|número de compras esperadas en un año|importe esperado en un año|próxima compra prevista"
        "|última respuesta de 0 a 10"
        "|última respuesta de 1 a 5|característica|preferencia",
    ),
}
EVENTS = {
    "en": _named(
        _EVENTS,
        "message queued|message sent|message refused by the provider|message failed|message deferred|message delivered"
        "|message bounced|marked us as spam|opened|clicked|replied|answered automatically|unsubscribed|subscribed"
        "|bought|visited|answered a survey|changed stage or RFM|was merged|was parted|wrote to us|other event",
    ),
    "pt": _named(
        _EVENTS,
        "mensagem na fila|mensagem enviada|mensagem recusada pelo provedor|mensagem falhou|mensagem adiada"
        "|mensagem entregue|mensagem devolvida|marcou como spam|abriu|clicou|respondeu|respondeu automaticamente"
        "|deixou de receber"
        "|passou a receber|comprou|visitou|respondeu a uma pesquisa|mudou de estágio ou RFM|foi unido|foi separado"
        "|escreveu para nós|outro evento",
    ),
    "es": _named(
        _EVENTS,
        "mensaje en cola|mensaje enviado|mensaje rechazado por el proveedor|mensaje fallido|mensaje aplazado"
        "|mensaje entregado|mensaje rebotado|marcó como spam|abrió|hizo clic|respondió|respondió automáticamente"
        "|se dio de baja|se dio de alta|compró|visitó|respondió una encuesta|cambió de etapa o RFM|fue unido"
        "|fue separado|nos escribió|otro evento",
    ),
}
_PHRASES = (
    "everyone all any not not_one in query or consent consent_withdrawn consent_expired consent_none on reachable "
    "sample birthday birthday_today true false in_values missing present at_least at_most more_than less_than between "
    "contains starts_with within before before_ago after day days hour hours minute minutes last_day last_days "
    "last_hour last_hours last_minute last_minutes next_day next_days next_hour next_hours next_minute next_minutes "
    "time times one exactly at_least_times at_most_times spent window "
    "from_day until_day until_ago campaign channel of_last of_newest then then_within"
)
PHRASES = {
    "en": _named(
        _PHRASES,
        "everyone|all of these hold:|at least one of these holds:|this does not hold:|not: {words}"
        "|is in the segment {name}:|chosen by the SQL of {name}: {description}| or |consents to {about}"
        "|said no to {about}|the yes to {about} has run out|never answered about {about}|{topic} by {channel}"
        "|can be reached by {channels}|in a fixed sample of {percent}%{salt}"
        "|has a birthday in the next {days} days, today included|has a birthday today|true|false"
        "|{label} is {value}|{label} is missing|{label} is there|{label} is at least {value}|{label} is at most {value}"
        "|{label} is more than {value}|{label} is less than {value}|{label} is between {low} and {high}"
        "|{label} contains “{value}”|{label} begins with “{value}”|{label} {value}|{label} before {value}"
        "|{label} more than {value} ago|{label} from {value} on"
        "|{number} day|{number} days|{number} hour|{number} hours|{number} minute|{number} minutes|in the last day"
        "|in the last {number} days|in the last hour|in the last {number} hours|in the last minute"
        "|in the last {number} minutes|in the next day|in the next {number} days|in the next hour"
        "|in the next {number} hours|in the next minute|in the next {number} minutes"
        "|{number} time|{number} times|one|exactly {times}|at least {times}"
        "|at most {times}|for at least {amount} {currency} in all|{value}|from {value} on|before {value}"
        "|more than {value} ago|in the campaign {value}|by {value}"
        "|in answer to {count} of the last {number} of kind {kind}"
        "|in answer to the last one of kind {kind}|and later {events}|and {events} within {value} after it",
    ),
    "pt": _named(
        _PHRASES,
        "todos|tudo isto vale:|pelo menos um destes vale:|isto não vale:|não: {words}|está no segmento {name}:"
        "|escolhido pelo SQL de {name}: {description}| ou |consente em receber {about}"
        "|disse não a {about}|o sim a {about} expirou|nunca respondeu sobre {about}|{topic} por {channel}"
        "|pode ser alcançado por {channels}|em uma amostra fixa de {percent}%{salt}"
        "|faz aniversário nos próximos {days} dias, contando hoje|faz aniversário hoje|verdadeiro|falso"
        "|{label} é {value}|não tem {label}|tem {label}|{label} é de pelo menos {value}|{label} é de no máximo {value}"
        "|{label} é maior que {value}|{label} é menor que {value}|{label} fica entre {low} e {high}"
        "|{label} contém “{value}”|{label} começa com “{value}”|{label} {value}|{label} antes de {value}"
        "|{label} há mais de {value}|{label} a partir de {value}"
        "|{number} dia|{number} dias|{number} hora|{number} horas|{number} minuto|{number} minutos|no último dia"
        "|nos últimos {number} dias|na última hora|nas últimas {number} horas|no último minuto"
        "|nos últimos {number} minutos|no próximo dia|nos próximos {number} dias|na próxima hora"
        "|nas próximas {number} horas|no próximo minuto|nos próximos {number} minutos"
        "|{number} vez|{number} vezes|uma|exatamente {times}|pelo menos {times}"
        "|no máximo {times}|pelo menos {amount} {currency} no total|{value}|a partir de {value}|antes de {value}"
        "|há mais de {value}|na campanha {value}|por {value}|em resposta a {count} das últimas {number} do tipo {kind}"
        "|em resposta à última do tipo {kind}|e depois {events}|e {events} até {value} depois",
    ),
    "es": _named(
        _PHRASES,
        "todos|se cumple todo esto:|se cumple al menos uno:|esto no se cumple:|no: {words}|está en el segmento {name}:"
        "|elegido por el SQL de {name}: {description}| o |consiente en recibir {about}"
        "|dijo no a {about}|el sí a {about} caducó|nunca respondió sobre {about}|{topic} por {channel}"
        "|se le puede escribir por {channels}|en una muestra fija del {percent}%{salt}"
        "|cumple años en los próximos {days} días, contando hoy|cumple años hoy|verdadero|falso"
        "|{label} es {value}|no tiene {label}|tiene {label}|{label} es al menos {value}|{label} es como máximo {value}"
        "|{label} es mayor que {value}|{label} es menor que {value}|{label} está entre {low} y {high}"
        "|{label} contiene “{value}”|{label} empieza con “{value}”|{label} {value}|{label} antes del {value}"
        "|{label} hace más de {value}|{label} desde el {value}"
        "|{number} día|{number} días|{number} hora|{number} horas|{number} minuto|{number} minutos|en el último día"
        "|en los últimos {number} días|en la última hora|en las últimas {number} horas|en el último minuto"
        "|en los últimos {number} minutos|en el próximo día|en los próximos {number} días"
        "|en la próxima hora|en las próximas {number} horas|en el próximo minuto|en los próximos {number} minutos"
        "|{number} vez|{number} veces|una|exactamente {times}|al menos {times}"
        "|como máximo {times}|al menos {amount} {currency} en total|{value}|desde el {value}|antes del {value}"
        "|hace más de {value}|en la campaña {value}|por {value}"
        "|en respuesta a {count} de las últimas {number} de tipo {kind}"
        "|en respuesta a la última de tipo {kind}|y después {events}|y {events} como máximo {value} después",
    ),
}
