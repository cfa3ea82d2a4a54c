"""What a monitor reads, by the parser that Prometheus itself publishes for its format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from daypass.model.grant import GrantState, Lane
from daypass.model.obligation import Obligation
from daypass.report.openmetrics import openmetrics
from support.evidence_bot import START, a_grant

if TYPE_CHECKING:
    from daypass.model.grant import Grant


def emergency(name: str) -> Grant:
    usual = a_grant(name)
    asked = {"request": {"ticket": "INC-7", "drill": False}}
    return replace(usual, lane=Lane.BREAK_GLASS, decision_input=asked)


def test_a_monitor_reads_all_of_it_without_a_complaint() -> None:
    stuck = replace(a_grant("two"), state=GrantState.REVOKE_FAILED, resource="ledger-db")
    grants = (a_grant("one"), a_grant("another"), stuck, emergency("three"))
    owed = [item for item in map(Obligation.of, grants) if item is not None]
    late = [replace(item, grant_id="four", due=START.plus(60)) for item in owed]
    text = openmetrics(grants, (), [*owed, *late], START.plus(5400))
    families = {item.name: item for item in text_string_to_metric_families(text)}
    assert all(item.type == "gauge" for item in families.values())
    assert all(item.documentation for item in families.values())
    found = {
        (item.name, tuple(item.labels.values())): item.value
        for family in families.values()
        for item in family.samples
    }
    assert found[("daypass_grants", ("orders-db", "read", "routine"))] == 2
    assert found[("daypass_grants", ("ledger-db", "read", "routine"))] == 1
    assert found[("daypass_grants", ("orders-db", "read", "break-glass"))] == 1
    assert found[("daypass_reviews", ("due",))] == 1
    assert found[("daypass_reviews", ("overdue",))] == 1
    assert found[("daypass_revoke_failed", ())] == 1
    assert found[("daypass_unrecorded_end_seconds", ())] == 1800


def test_where_nothing_is_granted_there_is_nothing_to_complain_of_either() -> None:
    text = openmetrics((), (), (), START)
    names = {item.name for item in text_string_to_metric_families(text)}
    assert {"daypass_grants", "daypass_reviews", "daypass_revoke_failed"} <= names
