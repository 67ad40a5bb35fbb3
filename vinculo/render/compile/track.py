"""Links of a template rewritten, once, to those that count clicks; addresses and styles that could do harm refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html import unescape

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from vinculo.render.compile.own import CLICK, TOKEN
from vinculo.render.compile.shape import hold
from vinculo.render.error import RenderError
from vinculo.render.markup.mask import ATTRIBUTE, TAG, Mask, pieces
from vinculo.signing import Signer

_ADDRESSES = frozenset({"href", "src", "background", "action", "formaction", "poster"})
_FOLLOWED = frozenset({"a", "area"})
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms", "cid"})
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
#: What would end a declaration, or a value, and begin another.
_BEYOND = re.compile(r"[;(){}!\\\x00-\x1f\x7f-\x9f]|/\*|^\s|\s$")
_OUR_LINK = re.compile(r"\s*\{\{-?\s*links\.")


def check_url(url: str) -> str:
    """Return *url*. Raises `RenderError` unless it is http(s), mailto, tel, sms, cid, or has no scheme."""
    # Browsers leave out tabs, line ends and controls within a scheme: `java\tscript:` runs.
    bare = re.sub(r"[\x00-\x20\x7f-\xa0\u2028\u2029]", "", url)
    scheme = _SCHEME.match(bare)
    if scheme and scheme[1].lower() not in _SCHEMES:
        raise RenderError(
            f"A link leads to {bare[:40]!r}: `{scheme[1]}:` is not allowed", remedy="Link to https, mailto or tel."
        )
    return url


def check_style(value: str) -> str:
    """Return *value*, which stands in a style attribute. Raises `RenderError` if it is more than a part of a value."""
    if not value or _BEYOND.search(value):
        raise RenderError(f"{value[:40]!r} cannot stand in a style", remedy="Choose between styles with `{% if %}`.")
    return value


class Tracker:
    """Rewrites links of the templates of one project; *web* is the web app's address."""

    def __init__(self, web: str, signer: Signer, link_id: Callable[[str], int]) -> None:
        self.web, self.signer, self.link_id = web.rstrip("/"), signer, link_id

    def rewrite(self, source: str) -> str:
        """Return the Jinja source with the addresses of its HTML rewritten, or checked when rendered."""
        mask = Mask(source)
        text = "".join(each.text if each.kind == "data" else mask.hide(each.text) for each in pieces(source))
        return mask.show(TAG.sub(lambda tag: self._tag(tag, mask), text))

    def _tag(self, tag: re.Match[str], mask: Mask) -> str:
        name, attributes = tag[1].lower(), tag[2]
        untracked = re.search(r"""\sdata-track\s*=\s*["']?off["']?""", attributes)
        if untracked:
            attributes = attributes.replace(untracked[0], "")
        followed = not untracked and (name in _FOLLOWED or name.startswith("v:"))

        def attribute(found: re.Match[str]) -> str:
            if found[1].lower() == "style":
                return mask.word.sub(lambda word: mask.hide(_guarded(mask.show(word[0]))), found[0])
            if found[1].lower() not in _ADDRESSES:
                return found[0]
            value = mask.show(found[2])
            quote = value[0] if value[0] in "\"'" else '"'
            url = self._address(value.strip(quote), followed=followed and found[1].lower() == "href")
            return f"{found[1]}={quote}{mask.hide(url)}{quote}"

        return f"<{tag[1]}{ATTRIBUTE.sub(attribute, attributes)}>"

    def _address(self, value: str, *, followed: bool) -> str:
        if _OUR_LINK.match(value):
            return value
        if "{{" in value or "{%" in value:
            return f"{{% filter {'_track' if followed else '_check'} %}}{value}{{% endfilter %}}"
        url = check_url(unescape(value).strip())
        if not (followed and self._counts(url)):
            return value
        return f"{{{{ {CLICK} }}}}{self.link_id(url)}"

    def _counts(self, url: str) -> bool:
        return url.lower().startswith(("http://", "https://")) and not url.startswith(f"{self.web}/")

    def click(self, token: str) -> str:
        """Return how the tracked links of the message with *token* begin."""
        return f"{self.web}/c/{token}/"

    def filters(self) -> dict[str, Callable[..., object]]:
        """The filters that the rewritten source calls, for addresses known only when rendered."""

        @pass_context
        def track(context: Context, value: str) -> Markup:
            url = check_url(unescape(str(value)).strip())
            if not self._counts(url):
                return hold(context, url, exact=True)
            token = context[TOKEN]
            packed = base64.urlsafe_b64encode(url.encode()).rstrip(b"=").decode()
            return hold(context, f"{context[CLICK]}u/{self.signer.mac('url', f'{token} {url}')}/{packed}")

        @pass_context
        def check(context: Context, value: str) -> Markup:
            return hold(context, check_url(unescape(str(value)).strip()), exact=True)

        def style(value: object) -> str:
            return check_style(str(value))

        return {"_track": track, "_check": check, "_style": style}


def _guarded(tag: str) -> str:
    """Return one of Jinja's tags, an expression with its result checked."""
    return f"{{{{ ({tag[2:-2].strip()})|_style }}}}" if tag.startswith("{{") else tag
