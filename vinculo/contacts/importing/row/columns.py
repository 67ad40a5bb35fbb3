"""Which column of a file goes where: by known names in Portuguese, English and Spanish, and by what the person says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from vinculo.contacts.importing.file.sheet import ERROR_COLUMNS
from vinculo.errors import UsageError, did_you_mean

#: Every place a column can go, what it means, and the names it is known by (accents, case and signs do not matter).
PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "key": (
        "your own number of the contact",
        (
            *("id", "code", "codigo", "customer_id", "contact_id", "external_id", "id_cliente", "cliente_id", "chave"),
            *("codigo_do_cliente", "codigo_de_cliente", "codigo_cliente", "cod_cliente", "id_do_cliente"),
            *("numero_do_cliente", "numero_de_cliente", "no_cliente", "no_do_cliente", "customer_number"),
        ),
    ),
    "email": ("e-mail address, several with `;`", ("e_mail", "mail", "email_address", "correo", "correo_electronico")),
    "sms": (
        "telephone number",
        (
            "phone",
            "telephone",
            "mobile",
            "cell",
            "phone_number",
            "telefone",
            "celular",
            "telemovel",
            "telefono",
            "movil",
            "telefone_celular",
            "numero_de_telefone",
            "numero_de_telefono",
        ),
    ),
    "whatsapp": ("WhatsApp number", ("whats_app", "zap", "whatsapp_number")),
    "name": ("full name: first word and the rest", ("nome", "nombre", "full_name", "nome_completo", "nombre_completo")),
    "given_name": ("first name", ("first_name", "firstname", "primeiro_nome", "nome_proprio", "primer_nombre")),
    "family_name": ("surname", ("last_name", "lastname", "surname", "sobrenome", "apelido", "apellido", "apellidos")),
    "kind": ("customer, lead, staff or partner", ("type", "tipo", "contact_kind")),
    "language": ("language code or name", ("idioma", "lingua", "lang", "locale")),
    "country": ("country code or name", ("pais", "country_code")),
    "region": ("state or province", ("state", "province", "estado", "uf", "provincia", "distrito")),
    "city": ("city", ("town", "cidade", "ciudad", "localidade", "municipio")),
    "timezone": ("zone, such as `America/Sao_Paulo`", ("time_zone", "tz", "fuso", "fuso_horario", "zona_horaria")),
    "birthdate": (
        "date of birth",
        (
            *("birthday", "birth_date", "date_of_birth", "dob", "nascimento", "data_de_nascimento", "data_nascimento"),
            *("aniversario", "fecha_de_nacimiento", "fecha_nacimiento", "cumpleanos"),
        ),
    ),
    "owner": ("who looks after the contact", ("responsavel", "vendedor", "account_manager", "responsable")),
    "source": ("where the contact came from", ("origem", "origen", "fonte", "fuente")),
    "first_seen": (
        "since when we know the contact",
        (
            *("created_at", "created", "signup_date", "data_de_cadastro", "data_cadastro", "cadastro", "fecha_de_alta"),
            *("cliente_desde", "data_de_registo", "fecha_de_registro"),
        ),
    ),
    "tags": ("words, several with `;`", ("tag", "etiquetas", "labels", "marcadores")),
    "consent_date": ("when the consent was given or refused", ("data_do_consentimento", "fecha_de_consentimiento")),
    "consent_source": ("where it was given or refused", ("origem_do_consentimento", "origen_del_consentimiento")),
    "legal_basis": ("on what legal ground", ("base_legal",)),
    "consent_text": (
        "the text that was shown: its hash is kept",
        ("texto_do_consentimento", "texto_de_consentimiento"),
    ),
    "consent_text_hash": ("the SHA-256 of that text, where the file has only that", ()),
    "consent_expires": (
        "until when the consent holds",
        ("validade_do_consentimento", "vencimiento_del_consentimiento"),
    ),
}
#: Where a contact has several columns of addresses: `E-mail 2` is the second.
_NUMBERED = re.compile(r"(.+?)_?([2-9])")
_REACHED = ("email", "sms", "whatsapp")
#: Names with a part of your own: `consent.news`, `consent.email.news`, `address.telegram`, `trait.size`.
FAMILIES: dict[str, str] = {
    "consent.TOPIC": "yes or no, on every channel that the row has an address for",
    "consent.CHANNEL.TOPIC": "yes or no on one channel",
    "address.CHANNEL": "an address on another channel",
    "email.2": "a second address, after the first in order of preference; so `sms.2`, `whatsapp.3` …",
    "id.SYSTEM": "what another system calls the contact: `id.shop`, `id.crm`",
    "trait.NAME": "a fact of your own; so is every column not in this table",
}
SKIPPED = "-"
_CONSENT = re.compile(r"consent|opt_?in|aceita|autoriza")
_FAMILY = re.compile(r"(consent(\.[a-z0-9_-]+){1,2}|(address|id)\.[a-z0-9_-]+|(email|sms|whatsapp)\.[2-9]|traits?\..+)")
_KNOWN = {name: place for place, (_, names) in PLACES.items() for name in (place, *names)}


def plain(name: str) -> str:
    """Return *name* without accents, case and signs: `Data de Nascimento` is `data_de_nascimento`."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return re.sub(r"\.*[^\w.]+\.*", "_", bare).strip("_.")


def assign(
    columns: Sequence[str], said: Mapping[str, str], topics: Collection[str] = (), channels: Collection[str] = ()
) -> dict[str, str]:
    """Return the place of each column; *said* beats the known names.

    Raises `UsageError` for a column or place that is not there, for a topic or channel that is none of *topics* or
    *channels* (empty: any), and for two columns with one place.
    """
    for column in said:
        if column not in columns:
            raise UsageError(f"The file has no column `{column}`", did_you_mean(column, columns))
    ignored = set(ERROR_COLUMNS) if list(columns[:3]) == list(ERROR_COLUMNS) else set()
    places = {c: SKIPPED if c in ignored or not c else _place(c, said.get(c)) for c in columns}
    _refuse_twins(places)
    for place in places.values():
        _refuse_unknown(place, topics, channels)
    return places


def require_identity(places: Mapping[str, str], path: Path) -> None:
    """Raise `UsageError` when no column says who a row is about: every row would be wrong."""
    known = {"key", "email", "sms", "whatsapp"}
    if not any(place in known or place.startswith(("address.", "id.")) for place in places.values()):
        columns = ", ".join(f"`{column}`" for column in list(places)[:12])
        headless = any("@" in column for column in places)
        remedy = "Write a first line that names the columns." if headless else "Say which: --map 'COLUMN=key'."
        raise UsageError(f"{path}: no column holds a key or an address; its columns are {columns}", remedy)


def place_of(column: str) -> str:
    """Return where a column goes by its name alone; an unknown name is a trait."""
    name = plain(column)
    if name in _KNOWN:
        return _KNOWN[name]
    again = _NUMBERED.fullmatch(name)
    if again and _KNOWN.get(again[1]) in _REACHED:
        return f"{_KNOWN[again[1]]}.{again[2]}"
    if _FAMILY.fullmatch(name):
        return _trait(name)
    return f"trait.{name}" if name else SKIPPED


def unheard(places: Mapping[str, str]) -> list[str]:
    """The columns that speak of consent by their name, and are kept as a trait since they do not say for what."""
    return [
        column
        for column, place in places.items()
        if place == f"trait.{plain(column)}" and _CONSENT.match(plain(column))
    ]


def _trait(place: str) -> str:
    """`traits.size` of an export is `trait.size`."""
    return re.sub(r"^traits\.", "trait.", place)


def _place(column: str, said: str | None) -> str:
    if said is None:
        return place_of(column)
    if said == SKIPPED or said in PLACES:
        return said
    if _FAMILY.fullmatch(said):
        return _trait(said)
    if plain(said) in _KNOWN:
        return _KNOWN[plain(said)]
    known = [*PLACES, *FAMILIES, SKIPPED]
    wrong = f"There is no place `{said}`" if column == said else f"`{column}={said}`: a column cannot go to `{said}`"
    near = get_close_matches(plain(said), [*known, *_KNOWN], n=1, cutoff=0.6)
    if near:
        raise UsageError(wrong, f"Did you mean `{_KNOWN.get(near[0], near[0])}`?")
    raise UsageError(wrong, f"Of your own: `trait.{plain(said)}`." if plain(said) else did_you_mean(said, known))


def _refuse_twins(places: Mapping[str, str]) -> None:
    taken: dict[str, str] = {}
    for column, place in places.items():
        if place == SKIPPED:
            continue
        if place in taken:
            ways = [f"take it as the second: --map '{column}={place}.2'"] if place in _REACHED else []
            ways += [f"leave it out: --map '{column}={SKIPPED}'", f"keep it: --map '{column}=trait.{plain(column)}'"]
            raise UsageError(
                f"The columns `{taken[place]}` and `{column}` both go to `{place}`",
                f"Of `{column}`, {', or '.join(ways)}.",
            )
        taken[place] = column


def _refuse_unknown(place: str, topics: Collection[str], channels: Collection[str]) -> None:
    family, *names = place.split(".")
    if family == "consent" and topics and names[-1] not in topics:
        raise UsageError(f"`{place}`: there is no topic `{names[-1]}`", did_you_mean(names[-1], topics))
    named = names[0] if family == "address" or (family == "consent" and len(names) == 2) else ""
    if named and channels and named not in channels:
        raise UsageError(f"`{place}`: there is no channel `{named}`", did_you_mean(named, channels))
