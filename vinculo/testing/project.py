"""Small projects for tests: a valid one is laid, and a test names only the files it changes."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

#: The company that every small project is of: the section that settings cannot do without.
COMPANY = """\
[company]
name = "Casa Aurora"
sender_name = "Casa Aurora"
sender_email = "ola@casaaurora.example"
reply_email = "replies@casaaurora.example"
bounce_email = "bounces@casaaurora.example"
postal_address = "Rua da Aurora, 100, São Paulo"
"""
_TOML = f"""\
{COMPANY}
[channels]
email = "connectors.smtp:Smtp"
sms = "connectors.gateway:Gateway"

[smtp]
url = "smtp://127.0.0.1:1025"
"""
_BASE = """\
    <!doctype html>
    <html lang="{{ language }}"><head><title>{% block subject %}{% endblock %}</title></head>
    <body><div>{% block preheader %}{% endblock %}</div>{% block content %}{% endblock %}
    <p>{{ company.postal_address }}</p><a href="{{ links.unsubscribe }}">x</a></body></html>
"""
_EMAIL = """\
    {% extends "_base/email.html" %}
    {% block subject %}Olá, {{ contact.given_name }}{% endblock %}
    {% block content %}<p>Olá! <a href="https://casaaurora.example/">Loja</a></p>{% endblock %}
"""
_FILES = {
    "vinculo.toml": _TOML,
    "plan/policy.yaml": """\
        topics:
          news: {title: {pt: Novidades, en: News}}
          offers: {title: {pt: Ofertas, en: Offers}}
          service: {title: {pt: Atendimento, en: Service}}
    """,
    "plan/objectives.yaml": """\
        keep-active: {description: Keep them, metric: click_rate, baseline: 4, target: 5, deadline: 2027-06-30}
    """,
    "plan/calendar/weekly.yaml": """\
        kind: newsletter
        objective: keep-active
        segment: everyone
        exclude: [staff]
        topic: news
        channels: [email, sms]
        template: hello
        when: {every: tuesday, at: "09:00"}
    """,
    "segments/everyone.yaml": "who: {all: []}\n",
    "segments/staff.yaml": "who: {kind: staff}\n",
    "templates/_base/email.html": _BASE,
    "templates/hello/email.html": _EMAIL,
    "templates/hello/sms.txt": "Olá, {{ contact.given_name }}!\n",
    "templates/hello/sample.yaml": "contact: {given_name: Ana}\n",
}


def write_project(root: Path, /, **files: str | bytes | None) -> Path:
    """Lay a small valid project in *root* and return *root*; *files* (by path) replace or join its files.

    None leaves a file out: `write_project(tmp_path, **{"segments/staff.yaml": None})`.
    """
    for name, content in {**_FILES, **files}.items():
        if content is None:
            continue
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    return root
