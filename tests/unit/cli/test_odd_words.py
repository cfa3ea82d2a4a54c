"""Odd terminals, locales and streams: one clear sentence, and no traceback."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pyrage
import pytest

from daypass.adapters import holder_token, ssh_keys
from daypass.adapters.sealing import AgeSealer
from daypass.cli import answers, claim_word, request_form
from daypass.cli.main import main
from daypass.cli.receiver import choose_receiver
from daypass.errors import DeliverySpentError, SealingError, UsageError
from daypass.model.delivery import Origin
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

LATIN_1 = os.fsdecode(b"Caf\xe9")


def homeless() -> None:
    raise RuntimeError("Could not determine home directory.")


OPENER = """
import os, sys
from daypass.cli import main, status
status.run = lambda arguments: os.open(os.devnull, os.O_WRONLY)
sys.argv[1:] = ["status"]
raise SystemExit(main.main())
"""


@pytest.mark.parametrize("typed", [b"", b"\xff\xfe\n"])
def test_an_end_of_input_or_bytes_that_are_no_text_are_no_answer(
    typed: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), "utf-8"))
    monkeypatch.setattr(answers, "can_ask", lambda: True)
    spent = DeliverySpentError("it is spent", remedy="x")
    assert claim_word.was_it_the_holder(spent) is None
    words = argparse.Namespace(words=["orders-db", "read"], duration="1h", reason=None)
    with pytest.raises(UsageError, match="an answer is missing"):
        request_form.ask(words, argparse.Namespace(resources={}))  # type: ignore[arg-type]  # no more of it is asked
    assert "Was it you who opened it?" in capsys.readouterr().err


def test_nobody_is_asked_where_standard_input_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert claim_word.was_it_the_holder(DeliverySpentError("x", remedy="y")) is None
    assert not answers.can_read()
    assert answers.read_line() == ""


def test_a_word_that_is_no_text_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["request", "orders-db", "read", "--duration", "1h", "--reason", LATIN_1]

    def run(_: argparse.Namespace) -> None:
        f"{LATIN_1}".encode()  # as a document is written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daypass.cli.request.run", run)
        assert main(words) == 2
    said = capsys.readouterr().err
    assert "'Caf\\xe9' is not valid UTF-8" in said
    assert "bug" not in said


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_get_no_files(streams: str) -> None:
    """A file that is opened while standard error is closed must not become standard error."""
    script = f'exec "$0" -c "$1" {streams}'
    done = subprocess.run(["sh", "-c", script, sys.executable, OPENER], check=False)
    assert done.returncode > 2, "the number of the file that the verb opened"
    assert done.returncode != 120


def test_without_a_home_a_key_must_be_named_and_no_token_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    armored = AgeSealer().seal(Secret("hvs.token"), [recipient]).armored
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    with pytest.raises(SealingError, match="no home folder") as caught:
        ssh_keys.open_sealed(armored, None, lambda _: Secret(""))
    assert "--identity FILE" in caught.value.remedy
    with pytest.raises(OSError, match="no home folder"):
        holder_token.keep("alice-1", Secret("t"), Secret("a"), Origin("https://v", None, 1))
    assert holder_token.kept("alice-1") is None
    assert holder_token.kept_accessor("alice-1") is None
    holder_token.forget("alice-1")


@pytest.mark.parametrize("path", ["", "-", ".", "..", "out/", "/dev/stdout", "/dev/fd/1"])
def test_an_output_that_is_no_file_is_refused_before_anything_is_looked_at(path: str) -> None:
    with pytest.raises(UsageError, match="names no file") as caught:
        choose_receiver([], "file", path, "Say how. Nothing was opened.")
    assert caught.value.remedy.endswith("Nothing was opened.")


def test_a_passphrase_that_is_not_typed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daypass.cli import claim  # noqa: PLC0415  -- it is the verb's own question

    def close(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(os, "open", lambda *_: os.dup(0))
    monkeypatch.setattr("getpass.getpass", close)
    with pytest.raises(SealingError, match="was not given"):
        claim._ask_passphrase(tmp_path / "key")
