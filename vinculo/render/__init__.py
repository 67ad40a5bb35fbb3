"""Template → message."""

from vinculo.render.error import RenderError
from vinculo.render.inline import inline
from vinculo.render.renderer import Renderer
from vinculo.render.sending import Sending

__all__ = ["RenderError", "Renderer", "Sending", "inline"]
