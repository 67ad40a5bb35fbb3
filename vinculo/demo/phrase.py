"""What the demo's people write back, and the programs they and the machines read with."""

from __future__ import annotations

REPLIES = {
    "pt": (
        "Bom dia! Adorei a história da Dona Lúcia. Vocês enviam para o interior também?",
        "Que carta bonita. Fiz o bolo no domingo e não sobrou uma fatia. Obrigado!",
        "Oi, Marina. O último pacote chegou aberto. Dá para trocar? O pedido é da semana passada.",
        "Uso coador de pano, igual ao da minha avó. Qual moagem vocês recomendam?",
        "Quanto fica o frete para quatro pacotes?",
        "Estou sem moedor no momento. Vocês mandam já moído para cafeteira italiana?",
        "Recebi duas cartas esta semana, podem mandar só uma por mês, por favor?",
    ),
    "en": (
        "What a lovely letter. I made the cake on Sunday and there is not a slice left. Thank you!",
        "Good morning, do you ship to the West Coast as well?",
        "Hi Marina, my last bag arrived open. Could you swap it? I ordered it last week.",
        "Which grind would you suggest for a ten-cup filter machine?",
        "I love the coffee, but could you write once a month instead of every week?",
        "How much is delivery for four bags?",
    ),
    "es": (
        "¡Qué linda carta! Hice la torta el domingo y no quedó ni una porción. Gracias.",
        "Buen día, ¿hacen envíos a Bariloche?",
        "Hola, Marina. El último paquete llegó abierto. ¿Se puede cambiar? Lo pedí la semana pasada.",
        "Uso volturno todas las mañanas. ¿Qué molienda me recomiendan?",
        "¿Cuánto sale el envío de cuatro paquetes?",
        "Me encanta el café, pero ¿podrían escribir una vez por mes?",
    ),
}
#: Subject and words of automatic answers.
AWAY = {
    "pt": ("Resposta automática", "Estou de férias até o dia 15 e leio os e-mails na volta. Até breve!"),
    "en": ("Automatic reply", "I am out of the office until the 15th and will read your mail when I am back."),
    "es": ("Respuesta automática", "Estoy de vacaciones hasta el día 15 y leeré los correos al volver. ¡Hasta pronto!"),
}
#: The line above a quoted message: {date}, {time} and {sender} are filled in.
QUOTING = {
    "pt": "Em {date} às {time}, {sender} escreveu:",
    "en": "On {date} at {time}, {sender} wrote:",
    "es": "El {date} a las {time}, {sender} escribió:",
}
#: What people read with, and how many of them.
READERS = {
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148": 30,
    "Mozilla/5.0 (Linux; Android 15; SM-A556E) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile "
    "Safari/537.36": 34,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 "
    "Safari/537.36": 24,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Safari/605.1.15": 12,
}
#: Proxies load pictures for a reader who opened; they hide the reader's own program.
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
#: Apple's privacy protection loads every picture, read or not, and says no more than this.
APPLE = "Mozilla/5.0"
#: Programs that follow every link before the reader sees the message.
SCANNERS = (
    "Mozilla/5.0 (compatible; BarracudaCentral/1.0; +https://www.barracudacentral.org)",
    "Mozilla/5.0 (compatible; Mimecast URL Protect)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/139.0.0.0 Safari/537.36",
)
