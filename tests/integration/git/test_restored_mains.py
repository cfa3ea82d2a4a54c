"""Main held against Vault's memory and the anchors, over real git."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.ledger import sshsig
from daypass.ledger.anchor import AnchorTag, tag_name, tag_payload
from daypass.lifecycle import restored
from daypass.lifecycle.restored import MainAndMemory, look_for_restored
from daypass.lifecycle.vault_memory import TIP_NOTE, AcceptedLoss, Anchored, VaultMemory
from daypass.model.epoch import Epoch
from daypass.model.event import Event, EventKind
from support.evidence_bot import make_bot
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from support.evidence_bot import Bot

pytestmark = pytest.mark.integration
ID, OTHER = "a" * 16, "b" * 16


class Notes:
    """Vault's notes; `then` is what another run has written before the second look."""

    def __init__(self, memory: VaultMemory, then: VaultMemory | None = None) -> None:
        self.left = [memory, then or memory]

    def read_note(self, name: str) -> Mapping[str, Any] | None:
        assert name == TIP_NOTE
        return (self.left.pop(0) if len(self.left) > 1 else self.left[0]).to_note()

    def write_note(self, name: str, data: Mapping[str, Any]) -> None:
        raise AssertionError(f"looking wrote {name}: {data}")

    def update_note(
        self, name: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        raise AssertionError(f"looking wrote {name}: {change}")


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    return make_bot(tmp_path)


def told(bot: Bot, count: int, name: str = ID) -> str:
    """An event of that epoch on main."""
    trailers = (("Daypass-Epoch", f"{name} {count}"),) if count else ()
    return bot.record(Event(EventKind.DRIFT, None, trailers), {})


def looked(bot: Bot, memory: VaultMemory, then: VaultMemory | None = None) -> MainAndMemory:
    with bot.open() as repository:
        return look_for_restored(Notes(memory, then), repository, bot.signers())


def remembered(number: int, commit: str, count: int, name: str = ID) -> VaultMemory:
    return VaultMemory(number, commit, commit, Epoch(name, count))


def put_back(bot: Bot, commit: str) -> None:
    bot.git("push", "-q", "--force", "origin", f"{commit}:main")


def anchor(bot: Bot, commit: str, number: int, epoch: Epoch | None, seed: int = 1) -> None:
    """A tag of the remote that holds that commit; its commits are nowhere else."""
    payload = tag_payload(commit, number, ("daypass", "x@example.com"), bot.seconds, epoch)
    signer = LocalSigner(seed)
    signature = signer.sign(sshsig.bytes_to_sign(payload))
    content = payload + sshsig.armoured_signature(signer.public_key(), signature)
    assert AnchorTag.parse(content).epoch == epoch
    assert AnchorTag.parse(content).number == number
    with bot.open() as repository:
        repository.push_tag(tag_name(number), content)


def test_nothing_is_found_where_both_know_of_each_other(bot: Bot) -> None:
    assert looked(bot, VaultMemory()).restored is None
    first = told(bot, 1)
    second = told(bot, 2)
    anchor(bot, first, 1, Epoch(ID, 1))
    assert looked(bot, remembered(2, second, 2)).restored is None
    assert looked(bot, remembered(1, first, 2)).restored is None  # killed before it noted it
    assert looked(bot, remembered(2, second, 9)).restored is None  # killed before it pushed
    head = bot.person_commits("A merge", {"x": "x"})
    assert looked(bot, remembered(2, second, 2)).head == head


def test_evidence_of_older_releases_is_no_reason_for_alarm(bot: Bot) -> None:
    commit = told(bot, 0)
    assert looked(bot, VaultMemory(1, commit, commit)).restored is None
    assert looked(bot, VaultMemory()).restored is None


def test_what_a_run_beside_this_one_wrote_meanwhile_is_no_reason_for_alarm(bot: Bot) -> None:
    first = told(bot, 1)
    before = remembered(1, first, 1)
    second = told(bot, 2)
    assert looked(bot, before, remembered(1, first, 2)).restored is None
    assert looked(bot, before, remembered(2, second, 2)).restored is None


def test_a_main_that_lacks_what_vault_has_seen_was_put_back(bot: Bot) -> None:
    first = told(bot, 1)
    second = told(bot, 2)
    put_back(bot, first)
    found = looked(bot, remembered(2, second, 2)).restored
    assert found is not None
    assert (found.what, found.commit, found.lost_number, found.newest) == ("main", second, 2, 1)
    assert list(found.causes("trunk")) == ["main-rolled-back"]
    assert f"origin {second}:trunk`" in found.causes("trunk")["main-rolled-back"]


def test_so_was_one_that_went_on_from_there(bot: Bot) -> None:
    """More events than before do not hide that others are missing."""
    first = told(bot, 1)
    second = told(bot, 2)
    put_back(bot, first)
    bot.resume()
    told(bot, 3)
    told(bot, 4)
    found = looked(bot, remembered(2, second, 2)).restored
    assert found is not None
    assert (found.lost, found.newest) == (second, 3)


def test_so_was_one_that_lacks_a_merge_of_people_only(bot: Bot) -> None:
    first = told(bot, 1)
    merged = bot.person_commits("A merge", {"x": "x"})
    put_back(bot, first)
    found = looked(bot, VaultMemory(1, first, merged, Epoch(ID, 1))).restored
    assert found is not None
    assert found.commit == merged
    assert "no event is missing" in found.causes("main")["main-rolled-back"]


@pytest.mark.parametrize(
    "memory",
    [
        VaultMemory(),
        remembered(1, "", 1),
        remembered(1, "", 2, OTHER),  # another Vault, which happens to have counted as far
    ],
)
def test_a_vault_that_has_not_counted_what_main_tells_is_older(
    bot: Bot, memory: VaultMemory
) -> None:
    told(bot, 1)
    second = told(bot, 2)
    found = looked(bot, memory).restored
    assert found is not None
    assert (found.what, found.commit) == ("vault", second)
    assert list(found.causes("main")) == ["vault-restored"]


def test_a_restore_that_was_accepted_counts_on_under_another_id(bot: Bot) -> None:
    commit = told(bot, 2)
    assert looked(bot, remembered(1, commit, 3, OTHER)).restored is None


def test_it_is_found_until_it_is_accepted(bot: Bot) -> None:
    first = told(bot, 1)
    second = told(bot, 2)
    memory = VaultMemory(2, second, second, Epoch(ID, 9), restored=first)
    found = looked(bot, memory).restored
    assert found is not None
    assert (found.what, found.commit) == ("vault", first)


@pytest.mark.parametrize("counted", [2, 1])
def test_an_anchor_tells_where_both_are_older(bot: Bot, counted: int) -> None:
    first = told(bot, 1)
    second = told(bot, 2)
    anchor(bot, second, 2, Epoch(ID, 2))
    put_back(bot, first)
    found = looked(bot, remembered(1, first, counted)).restored
    assert found is not None
    assert (found.lost, found.lost_number) == (second, 2)
    assert found.what == ("both" if counted == 1 else "main")


def test_an_anchor_that_the_evidence_key_did_not_sign_tells_nothing(bot: Bot) -> None:
    first = told(bot, 1)
    second = told(bot, 2)
    anchor(bot, second, 2, Epoch(ID, 2), seed=2)
    bot.git("push", "-q", "origin", f"{second}:refs/tags/{tag_name(3)}")
    bot.git("push", "-q", "origin", f"{second}:refs/tags/daypass-evidence-x")
    put_back(bot, first)
    assert looked(bot, remembered(1, first, 1)).restored is None


def test_tags_that_are_no_anchors_hide_none(bot: Bot) -> None:
    """However many: light ones, and tag objects that another key signed."""
    first = told(bot, 1)
    second = told(bot, 2)
    anchor(bot, second, 2, Epoch(ID, 2))
    put_back(bot, first)
    anchor(bot, first, 999_999_999, None, seed=2)
    signed = bot.git("ls-remote", "origin", f"refs/tags/{tag_name(999_999_999)}").split()[0]
    for begin, target in ((990_000_000, first), (980_000_000, signed)):
        names = (f"{target}:refs/tags/{tag_name(begin + number)}" for number in range(250))
        bot.git("fetch", "-q", "origin", signed)
        bot.git("push", "-q", "origin", *names)
    looks = looked(bot, remembered(1, first, 1))
    assert looks.restored is not None
    assert (looks.restored.lost, looks.restored.what) == (second, "both")
    assert f"signed tag {tag_name(2)} brings it" in looks.causes("main")["main-rolled-back"]


def test_more_forged_anchors_than_are_looked_at_alarm(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The evidence key's own tag under other names costs a verification each."""
    monkeypatch.setattr(restored, "_MOST", 20)
    first = told(bot, 1)
    second = told(bot, 2)
    anchor(bot, second, 2, Epoch(ID, 2))
    put_back(bot, first)
    signed = bot.git("ls-remote", "origin", f"refs/tags/{tag_name(2)}").split()[0]
    bot.git("fetch", "-q", "origin", signed)
    push = ("push", "-q", "origin")
    bot.git(*push, *(f"{signed}:refs/tags/{tag_name(100 + number)}" for number in range(20)))
    assert "main-rolled-back" in looked(bot, remembered(1, first, 1)).causes("main")
    bot.git(*push, f"{signed}:refs/tags/{tag_name(99)}")
    looks = looked(bot, remembered(1, first, 1))
    assert list(looks.causes("main")) == ["anchors-forged"]


@pytest.mark.parametrize("then", ["/x", ""])
def test_a_tag_that_became_a_folder_keeps_no_clone_from_fetching(bot: Bot, then: str) -> None:
    first = told(bot, 1)
    before = f"refs/tags/{tag_name(1)}{'' if then else '/x'}"
    bot.git("push", "-q", "origin", f"{first}:{before}")
    assert looked(bot, remembered(1, first, 1)).restored is None
    bot.git("push", "-q", "origin", f":{before}", f"{first}:refs/tags/{tag_name(1)}{then}")
    assert looked(bot, remembered(1, first, 1)).head == first
    bot.git("push", "-q", "origin", f":refs/tags/{tag_name(1)}{then}")
    assert looked(bot, remembered(1, first, 1)).head == first


def test_what_an_anchor_told_is_known_without_it(bot: Bot) -> None:
    first = told(bot, 1)
    second = told(bot, 2)
    put_back(bot, first)
    known = Anchored(second, 2, Epoch(ID, 2), tag_name(2))
    memory = VaultMemory.from_note(remembered(1, first, 1).told_by(known).to_note())
    found = looked(bot, memory).restored
    assert found is not None
    assert (found.lost, found.what, found.anchored) == (second, "both", known)
    put_back(bot, second)
    assert looked(bot, replace(memory, epoch=Epoch(ID, 2))).restored is None
    put_back(bot, first)
    given_up = memory.accept(AcceptedLoss("both", second, 2), looked(bot, memory).tip, first)
    assert looked(bot, given_up).restored is None


def test_an_anchor_of_what_was_given_up_tells_nothing(bot: Bot) -> None:
    first = told(bot, 1)
    second = told(bot, 2)
    anchor(bot, second, 2, Epoch(ID, 2))
    put_back(bot, first)
    memory = VaultMemory(1, first, first, Epoch(OTHER, 3), floor=2)
    assert looked(bot, memory).restored is None
