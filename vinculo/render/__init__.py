"""Template → message."""

from vinculo.render.check import preview_renderer, problems
from vinculo.render.error import RenderError
from vinculo.render.markup.inline import inline
from vinculo.render.markup.structure import Dynamic
from vinculo.render.preview import find_template, planned_sending, sample_sending, sending_to
from vinculo.render.renderer import Renderer
from vinculo.render.reply import Reply, Replying, replying, together, write
from vinculo.render.sending import Sending

__all__ = [
    "Dynamic",
    "RenderError",
    "Renderer",
    "Reply",
    "Replying",
    "Sending",
    "find_template",
    "inline",
    "planned_sending",
    "preview_renderer",
    "problems",
    "replying",
    "sample_sending",
    "sending_to",
    "together",
    "write",
]
