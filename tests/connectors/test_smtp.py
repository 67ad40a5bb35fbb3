from collections.abc import Callable, Iterator

import pytest

from connectors.smtp import Smtp
from vinculo.testing.contract import ConnectorContract
from vinculo.testing.smtp import SmtpSink


class TestSmtp(ConnectorContract):
    @pytest.fixture
    def provider(self) -> Iterator[SmtpSink]:
        with SmtpSink(login=("loja", "correct horse")) as sink:
            yield sink

    @pytest.fixture
    def make(self, provider: SmtpSink) -> Callable[[], Smtp]:
        return lambda: Smtp(provider.url.replace("//", "//loja:correct%20horse@") + "?timeout=5")
