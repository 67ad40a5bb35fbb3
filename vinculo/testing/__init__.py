"""What ships for tests: contracts to inherit, fakes as strict as the real thing, factories."""

import sys

if "pytest" in sys.modules:  # a failing contract should show values, as tests of one's own do
    import pytest

    pytest.register_assert_rewrite("vinculo.testing.contract", "vinculo.testing.store")
