"""The console for marketers and ops: what will go out, what went out, what came back, and a hand on the brake."""

from starlette.middleware import Middleware
from starlette.routing import Route

from vinculo.web.console import calendar, campaign, duplicates, identity, inbox, login, outbox, overview, people, plan
from vinculo.web.console.gate import Gate

_GATE = (Middleware(Gate),)
_OPEN = (Middleware(Gate, open_=True),)

routes = [
    Route("/", overview.page, methods=["GET"], middleware=_GATE),
    Route("/calendar", calendar.page, methods=["GET"], middleware=_GATE),
    Route("/plan", plan.page, methods=["GET"], middleware=_GATE),
    Route("/campaigns", campaign.index, methods=["GET"], middleware=_GATE),
    Route("/campaigns/{name}", campaign.page, methods=["GET"], middleware=_GATE),
    Route("/campaigns/{name}/pause", campaign.pause, methods=["POST"], middleware=_GATE),
    Route("/campaigns/{name}/resume", campaign.resume, methods=["POST"], middleware=_GATE),
    Route("/campaigns/{name}/approve", campaign.approve, methods=["POST"], middleware=_GATE),
    Route("/campaigns/{name}/reject", campaign.reject, methods=["POST"], middleware=_GATE),
    Route("/contacts", people.search, methods=["GET"], middleware=_GATE),
    Route("/contacts/duplicates", duplicates.index, methods=["GET"], middleware=_GATE),
    Route("/contacts/{number:int}", people.page, methods=["GET"], middleware=_GATE),
    Route("/contacts/{number:int}/owner", identity.set_owner, methods=["POST"], middleware=_GATE),
    Route("/contacts/{number:int}/merge", duplicates.merge, methods=["POST"], middleware=_GATE),
    Route("/contacts/{number:int}/unmerge", duplicates.unmerge, methods=["POST"], middleware=_GATE),
    Route("/inbox", inbox.index, methods=["GET"], middleware=_GATE),
    Route("/inbox/times", inbox.times, methods=["GET"], middleware=_GATE),
    Route("/inbox/{number:int}", inbox.page, methods=["GET"], middleware=_GATE),
    Route("/inbox/{number:int}/answer", inbox.answer, methods=["POST"], middleware=_GATE),
    Route("/inbox/{number:int}/take", inbox.take, methods=["POST"], middleware=_GATE),
    Route("/inbox/{number:int}/hand-over", inbox.hand_over, methods=["POST"], middleware=_GATE),
    Route("/inbox/{number:int}/close", inbox.close, methods=["POST"], middleware=_GATE),
    Route("/inbox/{number:int}/reopen", inbox.reopen, methods=["POST"], middleware=_GATE),
    Route("/outbox", outbox.index, methods=["GET"], middleware=_GATE),
    Route("/outbox/{name}", outbox.page, methods=["GET"], middleware=_GATE),
    Route("/outbox/{name}/html", outbox.frame, methods=["GET"], middleware=_GATE),
    Route("/outbox/{name}/source", outbox.source, methods=["GET"], middleware=_GATE),
    Route("/login", login.page, methods=["GET"], middleware=_OPEN),
    Route("/login", login.enter, methods=["POST"], middleware=_OPEN),
    Route("/logout", login.leave, methods=["POST"], middleware=_GATE),
]
