"""`connectors/README.md` is run as it stands: its example is held to the contract like our own."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "connectors" / "README.md"
_blocks = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
exec(compile("\n".join(_blocks), str(README), "exec"), globals())


def test_the_page_has_its_example_and_its_contract() -> None:
    assert {"Pigeon", "TestPigeon"} <= globals().keys()
