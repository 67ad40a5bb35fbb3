"""The loop that everybody writes first: Jinja, premailer, EmailMessage, smtplib, one commit; message by message.

It knows nothing of Vinculo, and runs in a process of its own: `python -m bench.loop DATABASE HOST PORT`.
"""

from __future__ import annotations

import json
import smtplib
import sqlite3
import sys
from datetime import date
from email.message import EmailMessage
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from premailer.premailer import Premailer

TEMPLATES = Path(__file__).parents[1] / "templates"
#: What the template asks for beside the contact.
FACTS = {
    "company": {"sender_name": "Casa Aurora", "postal_address": "Rua Harmonia, 310, São Paulo", "language": "pt"},
    "links": dict.fromkeys(("unsubscribe", "preferences", "view"), "https://casaaurora.example/x/0123456789abcdef"),
    "occurrence": date(2026, 11, 3),
    "language": "pt",
}
PEOPLE = """
    SELECT contact.id, given_name, city, traits, value FROM contact JOIN address ON contact_id = contact.id
    WHERE channel = 'email' ORDER BY contact.id
"""


def main(database: str, host: str, port: int) -> None:
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    jinja.filters["date"] = lambda day: day.strftime("%d/%m/%Y")
    db = sqlite3.connect(database)
    db.execute("CREATE TABLE IF NOT EXISTS sent (contact INTEGER PRIMARY KEY)")
    with smtplib.SMTP(host, port) as server:
        for number, given_name, city, traits, address in db.execute(PEOPLE).fetchall():
            contact = {"given_name": given_name, "city": city, "traits": json.loads(traits)}
            html = jinja.get_template("weekly-news/email.pt.html").render(FACTS, contact=contact)
            server.send_message(letter(html, address))
            db.execute("INSERT INTO sent VALUES (?)", (number,))
            db.commit()


def letter(html: str, to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ola@casaaurora.example", to, "News"
    message.set_content("The news of the week, for those who read no HTML.\n" * 30)
    styled = Premailer(html, allow_network=False, disable_validation=True, cssutils_logging_level=50)  # type: ignore[no-untyped-call]
    message.add_alternative(styled.transform(), subtype="html")  # type: ignore[no-untyped-call]
    return message


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
