from collections.abc import Callable, Iterator

import pytest

from connectors.gateway import Gateway
from vinculo.model import EventKind
from vinculo.testing.contract import ConnectorContract
from vinculo.testing.gateway import GatewayFake


class TestGateway(ConnectorContract):
    address = "+5511987654321"
    channel = "sms"
    known = ("message.delivered", EventKind.DELIVERED)

    @pytest.fixture
    def provider(self) -> Iterator[GatewayFake]:
        with GatewayFake() as fake:
            yield fake

    @pytest.fixture
    def make(self, provider: GatewayFake) -> Callable[[], Gateway]:
        return lambda: Gateway(provider.url, provider.token, provider.webhook_secret, timeout=5)
