"""Files of HEAD in a clone that has nothing checked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli.head_files import authorities_folder, head_file

if TYPE_CHECKING:
    from support.evidence_bot import Bot

CA = "access/vault.pem"


def test_the_authorities_are_read_from_head_where_nothing_is_checked_out(bot: Bot) -> None:
    bot.person_commits("Authorities", {CA: "pem\n"})
    assert authorities_folder(bot.work, CA, bot.open) == bot.work
    (bot.work / CA).unlink()
    folder = authorities_folder(bot.work, CA, bot.open)
    assert folder != bot.work
    assert (folder / CA).read_bytes() == b"pem\n"
    bot.person_commits("Other authorities", {CA: "other\n"})
    (bot.work / CA).unlink()
    assert (authorities_folder(bot.work, CA, bot.open) / CA).read_bytes() == b"other\n"


def test_no_authorities_are_made_up(bot: Bot) -> None:
    (bot.work / "access").mkdir(exist_ok=True)
    (bot.work / CA).symlink_to("/etc/hostname")
    bot.git("add", "-A")
    bot.git("commit", "-q", "-m", "A link")
    (bot.work / CA).unlink()
    assert authorities_folder(bot.work, CA, bot.open) == bot.work
    assert authorities_folder(bot.work, "access/none.pem", bot.open) == bot.work
    assert authorities_folder(bot.work, None, bot.open) == bot.work
    with bot.open() as repository:
        assert head_file(repository, "access") is None
