"""CSS into style attributes."""

from __future__ import annotations

import logging


def inline(html: str) -> str:
    """Return *html* with its CSS in style attributes."""
    import cssutils
    from premailer.premailer import Premailer

    cssutils.log.setLevel(logging.CRITICAL)
    return str(
        Premailer(  # type: ignore[no-untyped-call]
            html,
            allow_network=False,
            disable_validation=True,
            keep_style_tags=True,
            strip_important=False,
            align_floating_images=False,
        ).transform(pretty_print=False)
    )
