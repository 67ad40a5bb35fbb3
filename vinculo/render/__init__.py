"""Template → message."""

from vinculo.render.error import RenderError
from vinculo.render.inline import inline
from vinculo.render.renderer import Renderer
from vinculo.render.sending import Sending
from vinculo.render.structure import Dynamic

__all__ = ["Dynamic", "RenderError", "Renderer", "Sending", "inline"]
