"""The automations know every state in which a run has no process, and every deployment is one that they look at."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

from flows import automations

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = YAML(typ="safe").load(ROOT / "prefect.yaml")["deployments"]


def test_every_state_that_we_named_ends_the_wait_for_a_sign_of_life() -> None:
    named = {
        name
        for path in (ROOT / "flows").glob("*.py")
        for call in re.findall(r"(?:Completed|Failed|Cancelled)\(([^)]*)", path.read_text())
        for name in re.findall(r'"([A-Z]\w+)"', call)
    }
    assert named == {"Skipped", "Tested", "Waiting"}
    assert named <= set(automations.SILENT)


def test_every_deployment_is_looked_at_and_shows_signs_of_life_in_time() -> None:
    for one in DEPLOYMENTS:
        assert automations.OURS in one["tags"], one["name"]
        every = int(one["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
        assert every == automations.HEARTBEAT
        sends = one["entrypoint"].startswith(("flows.send.", "flows.newsletter.", "flows.promotion."))
        assert (automations.SENDS in one["tags"]) == sends


def test_a_run_is_given_up_after_three_signs_of_life_that_did_not_come() -> None:
    dead, again = automations.desired()
    assert dead.trigger.within.total_seconds() == 3 * automations.HEARTBEAT
    assert again.trigger.match_related.root["prefect.resource.id"] == "prefect.tag.send"
