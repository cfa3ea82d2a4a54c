"""Each way to forge, drop, rewrite or reorder the evidence, tried on a real repository."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.documents.blob import blob_id
from daypass.ledger.fault import FaultCode
from daypass.ledger.record import grant_trailers
from daypass.ledger.verify import Report, Verdict, verify
from daypass.lifecycle.replaying import Replayer
from daypass.model.canonical import canonical_json, digest
from daypass.model.event import Event, EventKind
from daypass.model.grant import Lane
from daypass.model.names import (
    ALLOWED_SIGNERS_PATH,
    break_glass_path,
    grant_path,
    request_path,
)
from support.desk import POLICY, RULES, lay_documents
from support.evidence_bot import START, a_grant
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support.evidence_bot import Bot


def judge(
    bot: Bot,
    *,
    named: bool = True,
    anchor: str | None = None,
    key: LocalSigner | None = None,
    memory: Kept | None = None,
) -> Report:
    fingerprints = [(key or bot.signer).allowed().fingerprint] if named else []
    with bot.open() as repository:
        return verify(
            repository,
            repository.fetch(),
            fingerprints=fingerprints,
            anchor=anchor,
            replay=Replayer(repository),
            memory=memory,
        )


def codes(report: Report) -> list[tuple[FaultCode, str]]:
    return [(fault.code, fault.commit) for fault in report.open_faults]


def noted(report: Report) -> list[tuple[FaultCode, str]]:
    return [(fault.code, fault.commit) for fault in report.faults if fault.noted]


def test_an_honest_history_holds(bot: Bot) -> None:
    first = bot.issue("one")
    bot.issue("two")
    bot.end("one", first)
    bot.person_commits("Unrelated work\n\nSigned-off-by: somebody", {"README": "x"})

    report = judge(bot)

    assert report.faults == ()
    assert report.verdict is Verdict.HOLDS
    assert (report.events, report.commits) == (3, 7)
    assert report.signers == (bot.signer.allowed().fingerprint,)


def test_without_anything_from_outside_it_is_self_attested(bot: Bot) -> None:
    bot.issue("one")
    assert judge(bot, named=False).verdict is Verdict.SELF_ATTESTED


FORGED = {
    "plain": "Squash (#7)\n\nDaypass-Event: issued\nDaypass-Grant: mine\nDaypass-Sequence: 2",
    "after a --- line": "Squash\n\n---\n\nDaypass-Event: issued\nDaypass-Grant: mine",
    "before a --- line": "Squash\n\nDaypass-Event: issued\nDaypass-Grant: mine\n---\n a | 2 +-\n",
    "below scissors": (
        "Squash\n\n# ------------------------ >8 ------------------------\nDaypass-Event: issued"
    ),
    "carriage returns": "Squash\r\n\r\nDaypass-Event: issued\r\nDaypass-Grant: mine\r\n",
    "only a carriage return": "Squash\rDaypass-Event: issued",
    "folded": "Squash\n\nDaypass-Event:\n issued\nDaypass-Grant: mine",
    "indented": "Squash\n\n  Daypass-Event: issued",
    "cherry-picked": (
        "Squash\n\nDaypass-Event: issued\n(cherry picked from commit "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)\n"
    ),
    "lower case": "Squash\n\ndaypass-event: issued",
    "not the last paragraph": "Squash\n\nDaypass-Event: issued\n\nCo-authored-by: a <a@b>",
    "space before the colon": "Squash\n\nDaypass-Event : issued",
}


@pytest.mark.parametrize("message", FORGED.values(), ids=FORGED.keys())
def test_trailers_that_a_requester_wrote_are_named(bot: Bot, message: str) -> None:
    bot.issue("one")
    forged = bot.person_commits(message, {"README": "x"})

    report = judge(bot)
    assert noted(report) == [(FaultCode.UNSIGNED_TRAILERS, forged)]
    assert report.verdict is Verdict.HOLDS, "who may write a message cannot break the evidence"


def test_an_event_that_a_colleague_signed_is_noted(bot: Bot) -> None:
    """By a key of their own, with a signature of other bytes, and in the bot's name."""
    bot.issue("one")
    honest, sequence, previous = bot.signer, bot.sequence, bot.previous
    bot.signer = LocalSigner(66)
    forged = bot.record(Event(EventKind.DENIED, "two", (("Daypass-Reason", "policy"),)), {})
    bot.signer, bot.sequence, bot.previous = honest, sequence, previous
    raw = bot.git("cat-file", "commit", previous or "") + "\n"
    tree = bot.git("rev-parse", f"{forged}^{{tree}}")
    lines = raw.replace("Daypass-Subject: alice", "Daypass-Subject: mallo").split("\n")
    (bot.work / "copy").write_text("\n".join([f"tree {tree}", f"parent {forged}", *lines[2:]]))
    copy = bot.git("hash-object", "-t", "commit", "-w", str(bot.work / "copy"))
    bot.git("push", "-q", "origin", f"{copy}:main")
    bot.issue("three")
    report = judge(bot)
    assert noted(report) == [(FaultCode.UNKNOWN_SIGNER, forged), (FaultCode.BAD_SIGNATURE, copy)]
    assert (report.verdict, report.events) == (Verdict.HOLDS, 2)


def test_a_forged_event_is_no_event_for_the_loop(bot: Bot) -> None:
    issued = bot.issue("one")
    bot.person_commits(FORGED["plain"], {"README": "x"})
    bot.resume()
    assert (bot.sequence, bot.previous) == (1, issued)


def test_a_record_edited_by_hand_is_named(bot: Bot) -> None:
    bot.issue("one")
    edited = bot.person_commits("Tidy", {grant_path("one"): "{}"})
    assert codes(judge(bot)) == [(FaultCode.RECORD_EDIT, edited)]


def test_a_file_that_only_keeps_a_folder_is_no_record(bot: Bot) -> None:
    bot.person_commits("Keep the folders", {"access/grants/.gitkeep": ""})
    bot.issue("one")
    assert judge(bot).faults == ()


def test_a_record_added_by_hand_is_named(bot: Bot) -> None:
    added = bot.person_commits("Tidy", {grant_path("mine"): a_grant("mine").to_bytes().decode()})
    assert codes(judge(bot)) == [(FaultCode.RECORD_EDIT, added)]


def test_a_record_edit_that_the_bot_undid_does_not_break_the_evidence(bot: Bot) -> None:
    bot.issue("one")
    edited = bot.person_commits("Tidy", {grant_path("one"): "{}"})
    repaired = bot.record(
        Event(EventKind.DRIFT, None, ()), {grant_path("one"): a_grant("one").to_bytes()}
    )

    report = judge(bot)

    assert report.verdict is Verdict.HOLDS
    (fault,) = report.faults
    assert (fault.commit, fault.mended_by) == (edited, repaired)


def test_deleting_a_record_is_answered_by_a_revocation(bot: Bot) -> None:
    issued = bot.issue("one")
    bot.person_commits("Take it back", {grant_path("one"): None})
    assert codes(judge(bot))[0][0] is FaultCode.RECORD_EDIT
    event = Event(EventKind.REVOKED, "one", (("Daypass-Reason", "record-deleted"),))
    bot.record(event, {request_path("one"): None}, body=f"This reverts commit {issued}.")
    assert judge(bot).verdict is Verdict.HOLDS


def test_a_dropped_event_leaves_a_gap(bot: Bot) -> None:
    first = bot.issue("one")
    bot.end("one", first)
    # a rewriter who has the key, too, drops the end and goes on
    bot.git("push", "-q", "--force", "origin", f"{first}:main")
    bot.git("fetch", "-q", "origin")
    last = bot.issue("two")
    report = judge(bot)
    assert codes(report) == [(FaultCode.SEQUENCE_GAP, last)]
    assert "event 2 is missing" in report.open_faults[0].message


def test_a_rewriter_without_the_key_loses_every_signature_after_it(bot: Bot) -> None:
    bot.issue("one")
    second = bot.issue("two")
    bot.git("checkout", "-q", "-B", "main", f"{second}~3")
    bot.git("cherry-pick", "--allow-empty", f"{second}~1", second)
    bot.git("push", "-q", "--force", "origin", "main")
    report = judge(bot)
    assert {code for code, _commit in codes(report)} == {FaultCode.RECORD_EDIT}
    assert {code for code, _commit in noted(report)} == {FaultCode.UNSIGNED_TRAILERS}


def test_one_amended_word_is_a_bad_signature(bot: Bot) -> None:
    issued = bot.issue("one")
    raw = bot.git("cat-file", "commit", issued) + "\n"
    forged = raw.replace("Daypass-Subject: alice", "Daypass-Subject: mallo")
    path = bot.work / "forged"
    path.write_text(forged)
    commit = bot.git("hash-object", "-t", "commit", "-w", str(path))
    path.unlink()
    bot.git("push", "-q", "--force", "origin", f"{commit}:main")
    report = judge(bot)
    assert noted(report) == [(FaultCode.BAD_SIGNATURE, commit)]
    assert codes(report) == [(FaultCode.RECORD_EDIT, commit)]


def test_reordered_and_repeated_numbers_are_named(bot: Bot) -> None:
    bot.issue("one")
    third = bot.issue("three", sequence=3)
    second = bot.issue("two", sequence=2)
    again = bot.issue("four", sequence=3)
    assert codes(judge(bot)) == [
        (FaultCode.SEQUENCE_GAP, third),
        (FaultCode.OUT_OF_ORDER, second),
        (FaultCode.SEQUENCE_TWICE, again),
    ]


def test_a_wrong_previous_is_named(bot: Bot) -> None:
    bot.issue("one")
    wrong = bot.issue("two", previous="e" * 40)
    assert codes(judge(bot)) == [(FaultCode.PREVIOUS, wrong)]


def test_what_cannot_happen_to_a_grant_is_named(bot: Bot) -> None:
    first = bot.issue("one")
    bot.end("one", first)
    again = bot.issue("one")
    assert codes(judge(bot)) == [(FaultCode.TRANSITION, again)]


def test_a_spent_id_may_be_refused_and_changes_nothing(bot: Bot) -> None:
    first = bot.issue("one")
    bot.end("one", first)
    bot.request("one")
    denial = Event(EventKind.DENIED, "one", (("Daypass-Reason", "id-reused"),))
    bot.record(denial, {request_path("one"): None})
    bot.record(Event(EventKind.REVIEWED, "one", ()), {})
    assert judge(bot).verdict is Verdict.HOLDS


def test_a_revert_must_name_the_commit_that_issued(bot: Bot) -> None:
    bot.issue("one")
    other = bot.issue("two")
    ended = bot.end("one", other)
    assert codes(judge(bot)) == [(FaultCode.REVERT, ended)]


def test_an_end_that_leaves_the_record_is_named(bot: Bot) -> None:
    first = bot.issue("one")
    ended = bot.end("one", first, removes=False)
    found = codes(judge(bot))
    assert found == [(FaultCode.NOT_REMOVED, ended)] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"not_after": START.plus(360000)},
        {"subject": "mallory"},
        {"accessor": "sha256:" + "9" * 64},
        {"approvals": ()},
        {"exceptions": ("dropped",)},
    ],
    ids=["until", "subject", "accessor", "approvals", "exceptions"],
)
def test_a_record_that_differs_from_its_trailers_is_named(
    bot: Bot, change: dict[str, object]
) -> None:
    issued = bot.issue("one", replace(a_grant("one"), **change))
    assert codes(judge(bot))[0] == (FaultCode.RECORD_MISMATCH, issued)


def issue_as(bot: Bot, grant_id: str, **said: object) -> str:
    """An issue whose record and trailers agree, and say this instead of what was so."""
    commit = bot.request(grant_id)
    blob = bot.git("rev-parse", f"{commit}:{request_path(grant_id)}")
    asked = {"request_commit": commit, "request_blob": blob}
    grant = replace(a_grant(grant_id), **(asked | said))
    event = Event(EventKind.ISSUED, grant_id, grant_trailers(grant))
    return bot.record(event, {grant_path(grant_id): grant.to_bytes()})


def test_a_request_that_is_not_the_approved_one_is_named(bot: Bot) -> None:
    other = issue_as(bot, "one", request_blob="b" * 40)
    elsewhere = issue_as(bot, "two", request_commit="c" * 40)
    assert codes(judge(bot)) == [
        (FaultCode.REQUEST_BLOB, other),
        (FaultCode.REQUEST_BLOB, elsewhere),
    ]


def test_a_decision_that_comes_out_otherwise_is_named(bot: Bot) -> None:
    found = a_grant("one").decision_input
    unapproved = found | {"approvals": found["approvals"] | {"counted": []}}
    issued = issue_as(
        bot, "one", approvals=(), decision_input=unapproved, decision_digest=digest(unapproved)
    )
    other_input = issue_as(bot, "two", decision_input=found | {"now": "2026-11-23T08:00:00Z"})
    another = a_grant("four")
    borrowed = issue_as(
        bot,
        "three",
        decision_input=another.decision_input,
        decision_digest=another.decision_digest,
    )
    long = issue_as(bot, "five", not_after=a_grant("five").not_after.plus(60))
    unreadable = issue_as(bot, "six", decision_input={}, decision_digest=digest({}))
    wanted = (issued, other_input, borrowed, long, unreadable)
    assert codes(judge(bot)) == [(FaultCode.DECISION, commit) for commit in wanted]


def test_approvers_that_the_decision_did_not_rest_on_are_named(bot: Bot) -> None:
    fewer = issue_as(bot, "one", approvals=a_grant("one").approvals[:1])
    other = issue_as(
        bot, "two", approvals=tuple(replace(item, account_id=9) for item in a_grant("").approvals)
    )
    assert codes(judge(bot)) == [(FaultCode.APPROVALS, fewer), (FaultCode.APPROVALS, other)]


def test_an_exception_that_is_only_said_is_named(bot: Bot) -> None:
    """In the trailers alone; in the record too; and in the input, where main held none."""
    added = bot.issue("one", a_grant("one"), said=replace(a_grant("one"), exceptions=("night",)))
    both = issue_as(bot, "two", exceptions=("night",))
    person = {"name": "alice", "accountId": 1, "type": "human", "status": "active"}
    forged = a_grant("three").decision_input | {
        "exceptions": [
            {
                "name": "night",
                "excepts": ["built-in/own-keys"],
                "attributedTo": person,
                "notBefore": "2026-01-01T00:00:00Z",
                "notAfter": "2026-03-01T00:00:00Z",
                "maxDurationSeconds": 3600,
            }
        ]
    }
    held = issue_as(bot, "three", decision_input=forged, decision_digest=digest(forged))
    assert codes(judge(bot)) == [
        (FaultCode.RECORD_MISMATCH, added),
        (FaultCode.DECISION, added),
        (FaultCode.DECISION, both),
        (FaultCode.DECISION, held),
    ]


def test_policies_that_main_did_not_hold_are_named(bot: Bot) -> None:
    never = issue_as(bot, "one", policy_digest="sha256:" + "2" * 64)
    longer = RULES.replace("8h", "7h")
    bot.person_commits("Shorten", {POLICY: longer})
    rolled_back = bot.issue("two")  # by the policies of before its request came
    bot.person_commits("And back", {POLICY: RULES})
    bot.issue("three")
    bot.request("four")
    bot.person_commits("While a run was writing", {POLICY: longer})
    commit = bot.git("rev-parse", "HEAD~1")
    blob = bot.git("rev-parse", f"{commit}:{request_path('four')}")
    grant = replace(a_grant("four"), request_commit=commit, request_blob=blob)
    event = Event(EventKind.ISSUED, "four", grant_trailers(grant))
    bot.record(event, {grant_path("four"): grant.to_bytes()})
    assert codes(judge(bot)) == [(FaultCode.POLICY, never), (FaultCode.POLICY, rolled_back)]


def test_a_denial_is_decided_again_too(bot: Bot) -> None:
    permitted = a_grant("one")
    found = permitted.decision_input
    denied = found | {"approvals": found["approvals"] | {"counted": []}}

    def deny(name: str, value: dict[str, object] | None, effect: str = "deny") -> str:
        bot.request(name)
        said = digest(value) if value is not None else "sha256:" + "0" * 64
        event = Event(
            EventKind.DENIED,
            name,
            (("Daypass-Decision", f"{effect} {said}"), ("Daypass-Policy", permitted.policy_digest)),
        )
        body = "- no\n"
        if value is not None:
            body += "\nThe input that was decided on:\n\n    " + canonical_json(value).decode()
        return bot.record(event, {request_path(name): None}, body=body)

    deny("honest", denied)
    wrong = [deny("permitted", found), deny("without", None), deny("other", denied, "permit")]
    assert codes(judge(bot)) == [(FaultCode.DECISION, commit) for commit in wrong]


def test_only_what_was_taken_offline_can_have_been_access_that_was_denied(bot: Bot) -> None:
    usual = a_grant("one")
    found = usual.decision_input
    value = found | {"requester": found["requester"] | {"invoker": False}}  # no emergency of theirs
    denied = replace(
        usual,
        lane=Lane.BREAK_GLASS,
        request_commit=None,
        pull_request=None,
        wrapping=None,
        approvals=(),
        decision_input=value | {"request": value["request"] | {"lane": "break-glass"}},
        effect="deny",
    )
    denied = replace(denied, decision_digest=digest(denied.decision_input))

    def bring(name: str, *, as_routine: bool = False, before: bool = False) -> str:
        path = break_glass_path(name)
        content = f"# {name}\n".encode()
        about = denied.decision_input | {"request": denied.decision_input["request"] | {"id": name}}
        grant = replace(
            denied,
            id=name,
            request_blob=blob_id(content),
            decision_input=about,
            decision_digest=digest(about),
        )
        if as_routine:
            commit = bot.person_commits("Ask", {path: content.decode()})
            grant = replace(grant, request_commit=commit, pull_request=7)
        if before:
            bot.person_commits("Ask", {path: content.decode()})
        changes = {grant_path(name): grant.to_bytes()}
        if not as_routine:
            changes |= {path: content}
        return bot.record(Event(EventKind.ISSUED, name, grant_trailers(grant)), changes)

    bring("honest")
    bring("before", before=True)  # whatever somebody laid there: access that was had is told
    wrong = [(FaultCode.DECISION, bring("routine", as_routine=True))]
    report = judge(bot)
    assert codes(report) == wrong, [item.message for item in report.faults]


def test_an_event_that_touches_another_grants_record_is_named(bot: Bot) -> None:
    bot.issue("one")
    bot.request("two")
    touching = bot.record(
        Event(EventKind.DENIED, "two", ()), {request_path("two"): None, grant_path("one"): None}
    )
    assert codes(judge(bot)) == [(FaultCode.RECORD_MISMATCH, touching)]


def test_signed_and_malformed_trailers_are_named(bot: Bot) -> None:
    forged = bot.write("Title\n\nDaypass-Event: issued\nDaypass-Event: issued\n", {"a": b"b"}, 1)
    assert codes(judge(bot)) == [(FaultCode.MALFORMED_TRAILERS, forged)]


class TestWhoeverBringsAKeyOfTheirOwn:
    """Threat 33."""

    def test_a_key_added_without_endorsement_signs_nothing_that_counts(self, bot: Bot) -> None:
        bot.issue("one")
        mallory = LocalSigner(66)
        lines = [bot.signer.allowed().to_line(), mallory.allowed().to_line()]
        bot.person_commits("Add a key", {ALLOWED_SIGNERS_PATH: "\n".join(lines) + "\n"})
        honest, bot.signer = bot.signer, mallory
        forged = bot.issue("two")
        bot.signer = honest

        for named in (True, False):
            assert codes(judge(bot, named=named))[0] == (FaultCode.UNENDORSED_SIGNER, forged)

    def test_a_replaced_list_does_not_make_the_old_events_false(self, bot: Bot) -> None:
        bot.issue("one")
        mallory = LocalSigner(66)
        bot.person_commits(
            "Replace the key", {ALLOWED_SIGNERS_PATH: mallory.allowed().to_line() + "\n"}
        )
        bot.signer = mallory
        forged = bot.issue("two")
        assert codes(judge(bot, named=False))[0][1] == forged

    def test_a_history_made_from_scratch_is_self_attested_at_the_best(self, bot: Bot) -> None:
        fingerprint = bot.signer.allowed().fingerprint
        bot.issue("one")
        anchor = bot.head
        bot.signer = LocalSigner(66)
        bot.sequence, bot.previous = 0, None
        bot.git("checkout", "-q", "--orphan", "other", "main")
        bot.git("rm", "-rfq", ".")
        lay_documents(bot.work)
        (bot.work / ALLOWED_SIGNERS_PATH).write_text(bot.signer.allowed().to_line() + "\n")
        bot.git("add", "-A")
        bot.git("commit", "-q", "-m", "Begin")
        bot.git("push", "-q", "--force", "origin", "HEAD:main")
        bot.git("fetch", "-q", "origin")
        bot.issue("two")

        assert judge(bot, named=False).verdict is Verdict.SELF_ATTESTED
        with bot.open() as repository:
            by_key = verify(repository, repository.head(), fingerprints=[fingerprint])
            by_anchor = verify(repository, repository.head(), anchor=anchor)
        assert FaultCode.UNENDORSED_SIGNER in {code for code, _commit in codes(by_key)}
        assert (FaultCode.ANCHOR_LOST, anchor) in codes(by_anchor)

    def test_the_old_key_may_endorse_a_new_one(self, bot: Bot) -> None:
        bot.issue("one")
        fingerprint = bot.signer.allowed().fingerprint
        new = LocalSigner(2)
        lines = [
            bot.signer.allowed(valid_before=bot.seconds + 60).to_line(),
            new.allowed(valid_after=bot.seconds).to_line(),
        ]
        rotation = {ALLOWED_SIGNERS_PATH: "\n".join(lines).encode() + b"\n"}
        bot.record(Event(EventKind.ROTATED, None, ()), rotation)
        old, bot.signer = bot.signer, new
        bot.issue("two")
        with bot.open() as repository:
            head = repository.fetch()
            assert verify(repository, head, fingerprints=[fingerprint]).verdict is Verdict.HOLDS
        bot.signer = old
        late = bot.issue("three")
        assert (FaultCode.SIGNER_NOT_VALID, late) in codes(judge(bot))

    def test_a_validity_cannot_be_widened_without_endorsement(self, bot: Bot) -> None:
        narrow = bot.signer.allowed(valid_before=bot.seconds + 90).to_line()
        bot.record(
            Event(EventKind.ROTATED, None, ()), {ALLOWED_SIGNERS_PATH: f"{narrow}\n".encode()}
        )
        wide = bot.signer.allowed().to_line()
        bot.person_commits("And back", {ALLOWED_SIGNERS_PATH: wide + "\n"})
        late = bot.issue("two")
        assert (FaultCode.SIGNER_NOT_VALID, late) in codes(judge(bot))

    def test_nor_by_taking_the_line_away_and_bringing_it_back(self, bot: Bot) -> None:
        """The key is named from outside, as one must whose older evidence is to count."""
        narrow = bot.signer.allowed(valid_before=bot.seconds + 90).to_line()
        bot.record(
            Event(EventKind.ROTATED, None, ()), {ALLOWED_SIGNERS_PATH: f"{narrow}\n".encode()}
        )
        bot.person_commits("Tidy", {ALLOWED_SIGNERS_PATH: "# none\n"})
        wide = bot.signer.allowed().to_line()
        bot.person_commits("And back", {ALLOWED_SIGNERS_PATH: wide + "\n"})
        late = bot.issue("two")
        assert (FaultCode.SIGNER_NOT_VALID, late) in codes(judge(bot))

    @pytest.mark.parametrize("named", [True, False])
    @pytest.mark.parametrize("how", ["narrowed", "for files", "taken away", "excluded"])
    def test_nor_is_it_narrowed_by_a_push(self, bot: Bot, how: str, *, named: bool) -> None:
        """One writer, and all evidence since would be broken: threat 16."""
        bot.issue("one")
        line = bot.signer.allowed().to_line()
        lines = {
            "narrowed": bot.signer.allowed(valid_before=START.seconds).to_line(),
            "for files": line.replace("git", "file"),
            "taken away": "# none",
            "excluded": "!" + line,
        }
        bot.person_commits("Narrow it", {ALLOWED_SIGNERS_PATH: lines[how] + "\n"})
        bot.issue("two")
        report = judge(bot, named=named)
        assert report.faults == ()
        assert report.events == 2

    def test_a_retired_key_cannot_date_its_commits_back(self, bot: Bot) -> None:
        bot.issue("one")
        old, new = bot.signer, LocalSigner(2)
        retired = bot.seconds + 60
        lines = [old.allowed(valid_before=retired).to_line(), new.allowed().to_line()]
        rotation = {ALLOWED_SIGNERS_PATH: "\n".join(lines).encode() + b"\n"}
        bot.record(Event(EventKind.ROTATED, None, ()), rotation)
        bot.signer = new
        bot.seconds += 7 * 3600
        bot.issue("two")
        memory = Kept()
        assert judge(bot, memory=memory, key=old).faults == ()
        bot.signer, bot.seconds = old, retired - 120
        forged = bot.issue("three")
        expected = [(FaultCode.SIGNER_NOT_VALID, forged)]
        assert codes(judge(bot, key=old))[:1] == expected
        assert codes(judge(bot, memory=memory, key=old))[:1] == expected


class Kept:
    """A memory that lasts as long as the test."""

    def __init__(self) -> None:
        self._state: str | None = None

    def recall(self, leads: Callable[[str], bool]) -> dict[str, Any] | None:
        known = json.loads(self._state) if self._state is not None else None
        return known if known is not None and leads(known["head"]) else None

    def remember(self, state: Mapping[str, Any]) -> None:
        self._state = json.dumps(state)


def test_an_anchor_notices_what_was_cut_off(bot: Bot) -> None:
    first = bot.issue("one")
    anchor = bot.issue("two")
    assert judge(bot, named=False, anchor=anchor).verdict is Verdict.HOLDS
    bot.git("push", "-q", "--force", "origin", f"{first}:main")
    assert codes(judge(bot, named=False, anchor=anchor)) == [(FaultCode.ANCHOR_LOST, anchor)]


def test_faults_up_to_the_anchor_are_known_and_do_not_count_again(bot: Bot) -> None:
    bot.person_commits(FORGED["plain"], {"README": "x"})
    anchor = bot.head
    bot.issue("one")
    report = judge(bot, anchor=anchor)
    assert report.verdict is Verdict.HOLDS
    assert [fault.anchored for fault in report.faults] == [True]
    later = bot.person_commits(FORGED["plain"], {grant_path("mine"): "{}"})
    assert codes(judge(bot, anchor=anchor)) == [(FaultCode.RECORD_EDIT, later)]


def test_a_merge_the_wrong_way_round_does_not_hide_events(bot: Bot) -> None:
    begin = bot.head
    issued = bot.issue("one")
    bot.git("checkout", "-q", "-B", "side", begin)
    (bot.work / "own").write_text("x")
    bot.git("add", "-A")
    bot.git("commit", "-q", "-m", "Own work")
    bot.git("merge", "-q", "--no-ff", "-m", "Merge main into side", issued)
    bot.git("push", "-q", "origin", "side:main")
    found = codes(judge(bot))
    assert (FaultCode.OFF_MAIN, issued) in found


def test_other_peoples_commits_in_any_encoding_do_not_stop_it(bot: Bot) -> None:
    bot.issue("one")
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    raw = bot.git("cat-file", "commit", "HEAD").split("\ngpgsig", maxsplit=1)[0].split("\n")[0]
    body = raw.encode() + b"\nparent " + bot.head.encode()
    body += b"\nauthor J\xf6rg <j\xf6rg@x> 1 +0000\ncommitter nobody\nencoding latin1\n"
    body += b"weird\n continued\n\nM\xfc\xff\xfe\x80 Daypass\n"
    path = bot.work / "weird"
    path.write_bytes(body)
    commit = bot.git("hash-object", "-t", "commit", "-w", "--literally", str(path))
    path.unlink()
    bot.git("push", "-q", "origin", f"{commit}:main")
    bot.issue("two")
    assert judge(bot).verdict is Verdict.HOLDS
