"""Standard Webhooks: the specification's own vector, rotation, the time window, and fail closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vinculo.connector import BadSignature
from vinculo.errors import UsageError
from vinculo.signing import sign_webhook, verify_webhook

# The vector that the reference implementations of Standard Webhooks share (msg_p5jXN8AQM9LWM0D4loKWxJek).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, STAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
NOW = datetime.fromtimestamp(STAMP, UTC)
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def headers(signature: str = SIGNATURE, stamp: str = str(STAMP), prefix: str = "webhook") -> dict[str, str]:
    return {f"{prefix}-id": ID, f"{prefix}-timestamp": stamp, f"{prefix}-signature": signature}


def test_the_specifications_vector_is_made_and_taken() -> None:
    assert sign_webhook(SECRET, ID, STAMP, BODY) == SIGNATURE
    assert verify_webhook(SECRET, headers(), BODY, now=NOW) == ID


def test_header_names_may_be_of_any_case_and_of_svix() -> None:
    assert verify_webhook(SECRET, {name.title(): value for name, value in headers().items()}, BODY, now=NOW) == ID
    assert verify_webhook(SECRET, headers(prefix="svix"), BODY, now=NOW) == ID


def test_one_good_signature_among_several_is_enough() -> None:
    several = f"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,abc {SIGNATURE}"
    assert verify_webhook(SECRET, headers(several), BODY, now=NOW) == ID


def test_with_two_secrets_either_may_have_signed() -> None:
    assert verify_webhook([OTHER, SECRET], headers(), BODY, now=NOW) == ID
    with pytest.raises(BadSignature):
        verify_webhook([OTHER], headers(), BODY, now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301, 10**6])
def test_a_webhook_outside_the_window_is_refused(seconds: int) -> None:
    with pytest.raises(BadSignature, match="timestamp"):
        verify_webhook(SECRET, headers(), BODY, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_webhook_inside_the_window_is_taken(seconds: int) -> None:
    assert verify_webhook(SECRET, headers(), BODY, now=NOW + timedelta(seconds=seconds)) == ID


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "١٦١٤٢٦٥٣٣٠", "9" * 5000, " 1614265330"])
def test_a_timestamp_that_is_no_number_is_refused(stamp: str) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(SECRET, headers(stamp=stamp), BODY, now=NOW)


@pytest.mark.parametrize("secret", ["", [], ["", ""]])
def test_without_a_secret_nothing_is_believed(secret: str | list[str]) -> None:
    with pytest.raises(BadSignature, match="no secret"):
        verify_webhook(secret, headers(sign_webhook("", ID, STAMP, BODY)), BODY, now=NOW)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    with pytest.raises(BadSignature, match="lacks"):
        verify_webhook(SECRET, {**headers(), missing: ""}, BODY, now=NOW)


def test_every_changed_byte_of_the_body_and_of_the_id_is_refused() -> None:
    for place in range(len(BODY)):
        with pytest.raises(BadSignature):
            verify_webhook(SECRET, headers(), BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :], now=NOW)
    with pytest.raises(BadSignature):
        verify_webhook(SECRET, {**headers(), "webhook-id": ID + "x"}, BODY, now=NOW)


@pytest.mark.parametrize("signature", ["v1,", "v1", "é", "v1a,g0hM9SsE", SIGNATURE.removeprefix("v1,"), SIGNATURE[:-2]])
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(SECRET, headers(signature), BODY, now=NOW)


def test_a_secret_that_is_not_base64_says_so() -> None:
    with pytest.raises(UsageError, match="base64"):
        sign_webhook("whsec_é!", ID, STAMP, BODY)
