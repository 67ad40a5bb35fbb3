"""[dkim] of vinculo.toml, and its variables, give the keys that e-mail is signed with."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from vinculo.errors import NotReady, UsageError
from vinculo.project import Settings, load
from vinculo.testing.project import write_project

PEM = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def settings(root: Path, section: str = "", environ: dict[str, str] | None = None) -> Settings:
    write_project(root)
    with (root / "vinculo.toml").open("a") as file:
        file.write(f"\n{section}\n")
    return load(root, environ or {}).settings


def test_without_a_key_there_is_none(tmp_path: Path) -> None:
    assert settings(tmp_path).dkim_keys() == ()


def test_the_file_is_found_from_the_projects_folder_and_the_domain_is_that_of_from(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM)
    (key,) = settings(tmp_path, '[dkim]\nkey_file = "key.pem"').dkim_keys()
    assert key.place == "vinculo._domainkey.casaaurora.example"


def test_a_domain_with_accents_signs_in_ascii(tmp_path: Path) -> None:
    environ = {"VINCULO__DKIM__KEY": PEM, "VINCULO__COMPANY__SENDER_EMAIL": "ola@ação.com.br"}
    (key,) = settings(tmp_path, environ=environ).dkim_keys()
    assert key.domain == "xn--ao-siap.com.br"


def test_a_file_of_the_environment_goes_before_the_projects(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(PEM)
    environ = {"VINCULO__DKIM__KEY_FILE": str(tmp_path / "secret"), "VINCULO__DKIM__SELECTOR": "s2"}
    found = settings(tmp_path, '[dkim]\nkey_file = "nowhere.pem"\ndomain = "mail.shop.net"', environ)
    (key,) = found.dkim_keys()
    assert key.place == "s2._domainkey.mail.shop.net"
    shown = {one.key: one.value for one in found.origins()}
    assert (shown["dkim.key"], shown["dkim.key_file"]) == ("***", "nowhere.pem")


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (None, NotReady, "cannot be read"),
        ("", UsageError, "no private key"),
        ("\xff\xfe", UsageError, "no private key"),
        (PEM + PEM, UsageError, "2 in the file, 1 named"),
    ],
)
def test_a_bad_file_is_told_with_its_remedy(tmp_path: Path, text: str | None, error: type, says: str) -> None:
    if text is not None:
        (tmp_path / "key.pem").write_text(text, encoding="latin-1")
    with pytest.raises(error, match=says) as refused:
        settings(tmp_path, '[dkim]\nkey_file = "key.pem"').dkim_keys()
    assert refused.value.remedy


def test_an_empty_secret_is_no_way_to_send_unsigned(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    with pytest.raises(UsageError, match="no private key"):
        settings(tmp_path, environ={"VINCULO__DKIM__KEY_FILE": str(tmp_path / "secret")}).dkim_keys()
