"""Why a message cannot be rendered: the template, the line and the reason."""

from __future__ import annotations

from vinculo.errors import VinculoError


class RenderError(VinculoError):
    """A template cannot be rendered. *line* counts from 1; 0: not known, or the file as a whole."""

    def __init__(self, reason: str, *, template: str = "", line: int = 0, remedy: str = "") -> None:
        self.reason, self.template, self.line = reason, template, line
        place = f"{template}:{line}: " if template and line else f"{template}: " if template else ""
        super().__init__(place + reason, remedy)
