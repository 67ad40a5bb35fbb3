"""What came back: stored raw, once; matched with its delivery; then one small function per kind (`reaction.ON`)."""

from vinculo.feedback.collect import collect, doors
from vinculo.feedback.hit import Glance, Hit, TrackingRules, count, receive_hits
from vinculo.feedback.judging import TRAP, judge_again
from vinculo.feedback.mail import receive_mail
from vinculo.feedback.mishap import take_in
from vinculo.feedback.reaction import ON, SOFT_BOUNCES_IN_A_ROW
from vinculo.feedback.receive import receive
from vinculo.feedback.replay import Received, received, rehearse_replay, replay, require_door
from vinculo.feedback.webhook import Webhook, receive_webhook

__all__ = [
    "ON",
    "SOFT_BOUNCES_IN_A_ROW",
    "TRAP",
    "Glance",
    "Hit",
    "Received",
    "TrackingRules",
    "Webhook",
    "collect",
    "count",
    "doors",
    "judge_again",
    "receive",
    "receive_hits",
    "receive_mail",
    "receive_webhook",
    "received",
    "rehearse_replay",
    "replay",
    "require_door",
    "take_in",
]
