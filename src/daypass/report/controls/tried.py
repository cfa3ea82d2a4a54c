"""Which of daypass's own tests try each control: on real servers where there are any.

A governed repository does not hold them; the source of the release that it pins does. A test of
daypass's own holds this table against that source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TRIED: Final[Mapping[str, tuple[str, ...]]] = {
    "R1": ("test_a_document_that_breaks_one_rule", "test_built_in_rules_deny"),
    "R2": ("test_built_in_rules_deny", "test_a_sponsor_who_has_left_answers_for_nobody"),
    "R3": ("test_false_and_every_error_deny", "test_deny_overrides_whatever_permits"),
    "R4": ("test_order_never_matters_and_the_bytes_are_the_same",),
    "R5": ("test_a_denial_is_replayed_from_its_message",),
    "R6": (
        "test_a_posture_is_asked_for_at_issue_and_while_it_lives",
        "test_an_old_attestation_put_back_is_stale",
    ),
    "R7": ("test_built_in_rules_deny", "test_it_can_do_nothing_else"),
    "R8": ("test_a_grant_ends_by_itself_on_time", "test_time_only_takes_live_access_away"),
    "R9": (
        "test_a_rolling_window_bounds_and_then_denies",
        "test_a_renewal_overlaps_with_a_token_of_its_own_and_counts_beside_what_it_renews",
    ),
    "R10": ("test_done_ends_sessions_at_once_and_the_next_run_writes_the_evidence",),
    "R11": (
        "test_each_overdue_lease_is_tried_and_one_that_stays_speaks_for_those_of_its_time",
        "test_clients_that_log_in_again_do_not_survive_the_event",
    ),
    "R12": (
        "test_whoever_had_a_hand_in_it_does_not_approve_it",
        "test_nobody_approves_with_the_account_of_a_machine_or_of_somebody_who_left",
    ),
    "R13": ("test_no_permit_without_an_approval_on_the_head", "test_built_in_rules_deny"),
    "R15": (
        "test_built_in_rules_deny",
        "test_a_static_secret_is_let_through_by_an_exception_that_says_so",
    ),
    "R16": (
        "test_an_agent_is_held_to_the_rules_of_agents",
        "test_twenty_grants_are_halted_in_one_run",
    ),
    "R17": (
        "test_own_keys_are_no_persons_keys",
        "test_own_keys_is_excepted_only_for_the_one_person_who_answers",
    ),
    "R18": (
        "test_vendors_past_their_contract_and_agents_without_a_sponsor",
        "test_the_contract_of_a_vendor_bounds_and_ends",
    ),
    "R19": ("test_one_holder_of_a_shared_account_at_a_time",),
    "R20": ("test_built_in_rules_deny",),
    "R21": ("test_an_overdue_review_blocks_both_lanes",),
    "R22": (
        "test_never_longer_less_recorded_or_less_reviewed",
        "test_nothing_else_is_decided_otherwise",
    ),
    "R23": ("test_a_posture_is_asked_for_at_issue_and_while_it_lives",),
    "R25": ("test_a_grant_is_told_from_its_request_to_its_end",),
    "R26": (
        "test_a_dropped_event_leaves_a_gap",
        "test_a_history_made_from_scratch_is_self_attested_at_the_best",
    ),
    "R27": ("test_a_legacy_static_secret_is_given_to_nobody_but_by_exception",),
    "R32": (
        "test_no_secret_is_said_written_or_posted_anywhere",
        "test_no_secret_stands_on_a_command_line",
    ),
    "R34": (
        "test_a_retention_is_lengthened_and_not_shortened",
        "test_a_key_stays_as_long_as_its_evidence",
        "test_what_an_archive_would_lack_is_told_and_nothing_is_written",
    ),
}
