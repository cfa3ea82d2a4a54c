"""Every command in bad weather: one clear message, the right exit code, nothing half done."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request as a_request
from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.acting import Done

BOT = [("apply",), ("plan",), ("plan", "--open", "--comment")]
ALL = [
    *BOT,
    ("validate",),
    ("validate", "--base", "origin/main"),
    ("plan", "--base", "origin/main"),
    ("plan", "--pr", "1"),
    ("claim", "standing", "--format", "json"),
    ("status",),
    ("explain", "standing"),
    ("audit", "log"),
    ("audit", "verify"),
    ("vault", "render"),
    ("vault", "apply"),
    ("vault", "doctor"),
]
words_of = "-".join
every = pytest.mark.parametrize("words", ALL, ids=words_of)
every_bot = pytest.mark.parametrize("words", BOT, ids=words_of)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A box with one grant, `standing`, whose delivery nobody has opened yet."""
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        town = Town(box)
        town.grant("standing", duration="1h")
        assert town.apply().code == 0
        for name in ("alice", "carol"):
            box.person(name).git("pull", "-q")
        yield town


@pytest.fixture(autouse=True)
def fine_weather(town: Town) -> Iterator[None]:
    yield
    town.box.github.heal()


def speaks_clearly(done: Done, code: int, *texts: str) -> None:
    assert done.code == code, done.said
    assert "Traceback" not in done.said
    assert "did not expect" not in done.said
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.said
    remedy = done.stderr.partition(errors[0])[2].strip()
    assert remedy, "no remedy"
    for text in texts:
        assert text in done.said


def as_operator(town: Town, *words: str) -> Done:
    token = town.box.bao.root_token.reveal()
    return acting.daypass(town.box.person("carol"), *words, VAULT_TOKEN=token)


def granted_once(town: Town, asked: Asked) -> None:
    assert town.events(asked.id) == ["issued"]
    assert len(town.live_tokens(asked.id)) == 1
    assert len(town.comments(asked, "delivery")) == 1
    town.credential(asked)


# Vault.


@pytest.fixture(scope="class", params=["missing", "sealed"])
def vault_trouble(town: Town, request: pytest.FixtureRequest) -> Iterator[tuple[Asked, str]]:
    """Vault is away, and meanwhile a request is merged."""
    kind: str = request.param
    asked = town.grant(f"vault-{kind}", duration="1h")
    if kind == "missing":
        town.box.bao.kill()
    else:
        town.box.bao.seal()
    yield asked, "cannot be reached" if kind == "missing" else "sealed"
    town.box.bao.restart()
    assert town.apply().code == 0
    granted_once(town, asked)


class TestVaultIsAway:
    @every_bot
    def test_the_bot_says_that_vault_is_away(
        self, town: Town, vault_trouble: tuple[Asked, str], words: tuple[str, ...]
    ) -> None:
        before = town.head()
        with acting.job(town.box) as job:
            speaks_clearly(job.daypass(*words), 1, vault_trouble[1])
        assert town.head() == before

    def test_people_are_told_that_vault_is_away(
        self, town: Town, vault_trouble: tuple[Asked, str]
    ) -> None:
        alice = town.box.person("alice")
        speaks_clearly(
            acting.daypass(alice, "claim", "standing", "--format", "json"), 1, vault_trouble[1]
        )
        for words in (("vault", "doctor"), ("vault", "apply")):
            speaks_clearly(as_operator(town, *words), 1, vault_trouble[1])

    def test_what_needs_no_vault_goes_on_without_it(
        self, town: Town, vault_trouble: tuple[Asked, str]
    ) -> None:
        assert vault_trouble
        alice = town.box.person("alice")
        for words in (("validate",), ("status",), ("audit", "verify"), ("vault", "render")):
            assert acting.daypass(alice, *words).code == 0


def test_a_log_in_that_vault_refuses_is_explained(town: Town) -> None:
    credentials = town.box.github.begin_run(
        repository=town.box.repository, workflow=".github/workflows/other.yml"
    )
    with acting.job(town.box) as job:
        job.environment.update(credentials.env)
        for words in BOT:
            done = job.daypass(*words)
            speaks_clearly(done, 1, "refused the log-in", "a claim differs")
            assert "eyJ" not in done.said


@every_bot
def test_without_an_identity_the_bot_does_nothing(town: Town, words: tuple[str, ...]) -> None:
    done = acting.daypass(town.box.person("alice"), *words)
    speaks_clearly(done, 7, "DAYPASS_VAULT_ADDRESS is not set")
    with acting.job(town.box) as job:
        for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
            del job.environment[name]
        speaks_clearly(job.daypass(*words), 1, "id-token")


QUOTA = "sys/quotas/rate-limit/all"


@pytest.fixture
def quota(town: Town) -> Iterator[None]:
    """Vault answers 25 requests a second."""
    vault = town.box.bao.client
    vault.write(QUOTA, {"rate": 25})
    yield
    while vault.status("sys/mounts") == 429:
        time.sleep(0.1)
    vault.delete(QUOTA)


def test_the_rate_limits_of_vault_and_github_leave_nothing_to_the_next_run(
    town: Town, request: pytest.FixtureRequest
) -> None:
    ends = [f"ends-{number:02d}" for number in range(12)]
    alice = town.box.person("alice")
    asked = {path: text for name in ends for path, text in a_request(name).items()}
    town.merge(Asked("ends", alice.propose("ends", asked, "Twelve"), alice))
    assert town.apply().code == 0
    gone = {f"access/requests/{name}.yaml": None for name in ends}
    town.box.person("carol").merge(alice.propose("gone", gone, "No longer needed"))
    granted = town.grant("limited", duration="1h")
    path = rf"/issues/{granted.number}/comments$"
    town.box.github.fail_next("POST", path, 403, headers={"Retry-After": "1"})
    request.getfixturevalue("quota")
    done = town.apply()
    assert done.code == 0, done.said
    for name in ends:
        assert town.events(name) == ["issued", "revoked"]
    granted_once(town, granted)


# GitHub.


@pytest.fixture(scope="class", params=["5xx", "rate", "secondary"])
def github_trouble(town: Town, request: pytest.FixtureRequest) -> Iterator[str]:
    """GitHub fails, or limits the rate, and meanwhile a request is merged and another one ended."""
    kind: str = request.param
    ending = town.grant(f"ends-in-{kind}", duration="1h")
    assert town.apply().code == 0
    asked = town.grant(f"asked-in-{kind}", duration="1h")
    town.delete(ending.id)
    yield kind
    town.box.github.heal()
    assert town.apply().code == 0
    assert town.events(ending.id) == ["issued", "revoked"]
    granted_once(town, asked)


class TestGitHubFails:
    @pytest.fixture(autouse=True)
    def trouble(self, town: Town, github_trouble: str) -> None:
        github = town.box.github
        if github_trouble == "5xx":
            github.fail_next("*", "^/api/v3/", 503, times=10_000)
        else:
            secondary = github_trouble == "secondary"
            github.limit_rate(10_000, seconds=1800, secondary=secondary)

    def test_a_run_says_so_and_a_person_too(self, town: Town, github_trouble: str) -> None:
        text = "503" if github_trouble == "5xx" else "rate"
        before = town.head()
        with acting.job(town.box) as job:
            for words in (("apply",), ("plan", "--open", "--comment")):
                speaks_clearly(job.daypass(*words), 1, text)
        alice = town.box.person("alice")
        for words in (("plan", "--pr", "1"), ("claim", "standing", "--format", "json")):
            speaks_clearly(acting.daypass(alice, *words), 1, text)
        assert town.head() == before

    def test_what_needs_no_github_goes_on(self, town: Town) -> None:
        alice = town.box.person("alice")
        for words in (("validate",), ("status",), ("audit", "log")):
            assert acting.daypass(alice, *words).code == 0


@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
def test_a_comment_that_fails_is_posted_by_the_next_run(town: Town, *, after: bool) -> None:
    asked = town.grant(f"comment-{str(after).lower()}", duration="1h")
    path = rf"/issues/{asked.number}/comments$"
    town.box.github.fail_next("POST", path, 502, times=10, after=after)
    done = town.apply()
    assert done.code == 5, done.said
    assert [item["grant"] for item in done.json()["failed"]] == [asked.id]
    assert town.events(asked.id) == ["issued"]
    town.box.github.heal()
    assert town.apply().code == 0
    granted_once(town, asked)


@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
def test_a_push_that_fails_is_carried_on_by_the_next_run(town: Town, *, after: bool) -> None:
    asked = town.grant(f"push-{str(after).lower()}", duration="1h")
    town.box.github.fail_next("POST", "git-receive-pack$", 500, times=10, after=after)
    with acting.job(town.box) as job:
        speaks_clearly(job.daypass("apply"), 1, "git push")
    town.box.github.heal()
    assert town.apply().code == 0
    granted_once(town, asked)


# The clone.


def test_a_dirty_clone_changes_nothing_of_what_is_recorded(town: Town) -> None:
    asked = town.grant("dirty", duration="1h")
    with acting.job(town.box) as job:
        policy = town.store.git("show", "main:access/policies/databases.yaml")
        for path, text in {
            "access/daypass.yaml": "kind: nonsense\n",
            "access/requests/sneaked-in.yaml": "x: 1\n",
            "access/policies/databases.yaml": policy.replace("atLeast: 1", "atLeast: 0"),
        }.items():
            (job.clone / path).parent.mkdir(parents=True, exist_ok=True)
            (job.clone / path).write_text(text)
        job.run("git", "add", "-A")
        done = job.daypass("apply", "--format", "json")
    assert done.code == 0, done.said
    granted_once(town, asked)
    assert "access/requests/sneaked-in.yaml" not in town.files()
    assert "nonsense" not in town.store.git("show", "main:access/daypass.yaml")


@pytest.mark.parametrize(
    "words",
    [("apply",), ("plan",), ("claim", "standing", "--format", "json"), ("audit", "verify")],
    ids=words_of,
)
def test_a_shallow_clone_proves_nothing(town: Town, words: tuple[str, ...], tmp_path: Path) -> None:
    alice = acting.person_environment(town.box.person("alice"))
    with acting.job(town.box) as job:
        shallow = shallow_clone(town, tmp_path)
        environment = job.environment if words[0] in ("apply", "plan") else alice
        done = acting.run((*acting.DAYPASS, *words), environment, directory=shallow)
    speaks_clearly(done, 1, "shallow", "fetch-depth: 0")


def shallow_clone(town: Town, folder: Path) -> Path:
    shallow = folder / "shallow"
    url = f"{town.box.github.server_url}/{town.box.repository.full_name}"
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", url, str(shallow)],
        check=True,
        env=acting.person_environment(town.box.person("alice")),
    )
    return shallow


def test_a_run_that_ended_early_is_seen_until_one_gets_through(town: Town, tmp_path: Path) -> None:
    def issues() -> list[str]:
        found = town.box.repository.issues.values()
        return [item.title for item in found if item.state == "open"]

    assert town.apply().code == 0
    assert as_operator(town, "doctor").code == 0
    with acting.job(town.box) as job:
        shallow = shallow_clone(town, tmp_path)
        for _ in range(2):
            words = (*acting.DAYPASS, "apply")
            done = acting.run(words, job.environment, directory=shallow)
            speaks_clearly(done, 1, "shallow")
            assert issues() == ["daypass: look at run-failed"]
    done = as_operator(town, "doctor")
    assert done.code == 1
    assert "ended early: GitError: " in done.stdout
    assert "shallow" in done.stdout
    assert town.apply().code == 0
    assert issues() == []
    assert as_operator(town, "doctor").code == 0


@every
def test_there_is_no_repository(town: Town, words: tuple[str, ...], tmp_path: Path) -> None:
    with acting.job(town.box) as job:
        environment = {**job.environment, "VAULT_TOKEN": town.box.bao.root_token.reveal()}
        done = acting.run((*acting.DAYPASS, *words), environment, directory=tmp_path)
    speaks_clearly(done, 1, "a git repository", "-C")


@pytest.mark.parametrize(
    # `validate` reports it as a finding, and `audit verify` finds no event and vouches for nothing.
    "words",
    [words for words in ALL if words not in (("validate",), ("audit", "verify"))],
    ids=words_of,
)
def test_the_repository_is_not_governed(town: Town, words: tuple[str, ...], tmp_path: Path) -> None:
    alice = town.box.person("alice")
    for command in (
        ("init", "-q", "-b", "main"),
        ("commit", "-q", "--allow-empty", "-m", "x"),
        ("remote", "add", "origin", str(tmp_path)),
        ("fetch", "-q", "origin"),
    ):
        subprocess.run(
            ["git", *command], check=True, cwd=tmp_path, env=acting.person_environment(alice)
        )
    with acting.job(town.box) as job:
        environment = {**job.environment, "VAULT_TOKEN": town.box.bao.root_token.reveal()}
        done = acting.run((*acting.DAYPASS, *words), environment, directory=tmp_path)
    assert done.code in (1, 3, 6), done.said
    speaks_clearly(done, done.code, "access/")


@pytest.mark.parametrize(
    "words",
    [
        ("claim", "nobody-knows-it", "--format", "json"),
        ("explain", "nobody-knows-it"),
        ("plan", "--pr", "4711"),
        ("plan", "--base", "no-such-revision"),
        ("validate", "--base", "no-such-revision"),
    ],
    ids=words_of,
)
def test_what_is_named_does_not_exist(town: Town, words: tuple[str, ...]) -> None:
    done = acting.daypass(town.box.person("alice"), *words)
    assert done.code in (1, 2), done.said
    speaks_clearly(done, done.code, words[-1] if words[0] != "claim" else words[1])


# Documents.


def test_a_broken_policy_on_main_grants_nothing_and_ends_what_must_end(fresh_box: Box) -> None:
    town = Town(fresh_box)
    ending = town.grant("weather-ends", duration="1h")
    assert town.apply().code == 0
    carol = town.box.person("carol")
    path = "access/policies/databases.yaml"
    good = town.store.git("show", f"main:{path}").encode()
    number = carol.propose("break", {path: b"kind: [\n"}, "Oh dear")
    town.merge(Asked("break", number, carol), approvers=("dave",))
    waiting = town.grant("weather-waits", duration="1h")
    town.delete(ending.id)
    done = town.apply()
    assert done.code == 5
    assert any("documents are wrong" in alarm for alarm in done.json()["alarms"]), done.said
    assert town.events(ending.id) == ["issued", "revoked"]
    assert town.events(waiting.id) == []
    with acting.job(town.box) as job:
        seen = job.daypass("plan")
        assert "documents are wrong" in seen.said
    carol.git("pull", "-q", "--ff-only")
    wrong = acting.daypass(carol, "validate")
    assert wrong.code == 3
    assert f"{path}:2:1  yaml-syntax" in wrong.stdout

    number = carol.propose("mend", {path: good}, "Mend it")
    town.merge(Asked("mend", number, carol), approvers=("dave",))
    done = town.apply()
    assert done.code == 0, done.said
    # What ruled when it was merged cannot be read. What is merged now can be granted again: no
    # operator is needed, because its owners approved the mending.
    assert "documents were wrong when it was merged" in town.message(waiting.id, "denied")
    anew = town.grant("weather-anew", duration="1h")
    assert town.apply().code == 0
    granted_once(town, anew)


# The disk.


@pytest.mark.parametrize("words", [("apply",), ("plan", "--open")], ids=words_of)
def test_a_full_disk_stops_a_run_that_the_next_one_carries_on(
    town: Town, words: tuple[str, ...]
) -> None:
    asked = town.grant(f"disk-{words[0]}", duration="1h")
    town.ask(f"disk-open-{words[0]}")
    with acting.job(town.box) as job:
        # One block of 1,024 bytes is what a file may grow to; Python's cache is shared by others.
        command = shlex.join(("env", "PYTHONDONTWRITEBYTECODE=1", *acting.DAYPASS, *words))
        line = f"ulimit -f 1; exec {command}"
        done = job.run("bash", "-c", line)
    assert done.code in (1, 5), done.said
    assert "Traceback" not in done.said
    assert "error: " in done.stderr or "failed" in done.stdout
    assert town.apply().code == 0
    granted_once(town, asked)


@pytest.mark.parametrize("words", [("status",), ("validate",), ("audit", "log")], ids=words_of)
def test_an_output_that_cannot_be_written_is_no_success(town: Town, words: tuple[str, ...]) -> None:
    alice = town.box.person("alice")
    with open("/dev/full", "w") as full:  # noqa: PTH123  -- a device
        done = subprocess.run(
            [*acting.DAYPASS, *words],
            check=False,
            cwd=alice.clone,
            env=acting.person_environment(alice),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    speaks_clearly(acting.Done(done.returncode, "", done.stderr), 1, "No space left on device")


# Secrets.


def test_no_secret_is_said_written_or_posted_anywhere(town: Town, tmp_path: Path) -> None:
    """Threat 20: the canaries of a whole flow, looked for everywhere afterwards."""
    box = town.box
    alice = box.person("alice")
    asked = town.grant("canary", duration="1h")
    said = []
    with acting.job(box) as job:
        for words in (("apply",), ("plan",), ("plan", "--open", "--comment")):
            done = job.daypass(*words, "--format", "github")
            said.append(done.said)
        summary = (job.clone.parent / "summary.md").read_text()
        oidc = job.environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    (comment,) = town.comments(asked, "delivery")
    age = comment[comment.index("-----BEGIN") : comment.index("-----END AGE ENCRYPTED FILE-----")]
    sealed = tmp_path / "delivery.age"
    sealed.write_text(age + "-----END AGE ENCRYPTED FILE-----\n")
    opened = subprocess.run(
        ["age", "-d", "-i", str(alice.ssh_key), str(sealed)], check=True, capture_output=True
    )
    wrapping = opened.stdout.decode().strip()
    assert len(wrapping) > 20
    credential = town.credential(asked)["credential"]
    said += [
        acting.daypass(alice, *words).said
        for words in (("claim", asked.id, "--format", "json"), ("status",), ("audit", "log"))
    ]
    said += [as_operator(town, "vault", "apply").said, as_operator(town, "vault", "doctor").said]

    canaries = {
        "password": credential["password"],
        "wrapping token": wrapping,
        "root token": box.bao.root_token.reveal(),
        "request token": oidc,
        "accessor": town.live_tokens(asked.id)[0],
        "App's key": box.app_key.reveal().splitlines()[1],
    }
    places = {
        "what was printed": "\n".join(said),
        "the step summary": summary,
        "git": _all_objects(town),
        "comments": "\n".join(item.body for item in box.repository.comments.values()),
    }
    for what, canary in canaries.items():
        for where, text in places.items():
            assert canary not in text, f"the {what} is in {where}"
    for where, text in places.items():
        for mark in ("ghs_", "hvs.", "eyJ", "PRIVATE KEY"):
            assert mark not in text, f"{mark} is in {where}"


def _all_objects(town: Town) -> str:
    git = shutil.which("git") or "git"
    words = ("cat-file", "--batch-all-objects", "--batch", "--buffer")
    raw = subprocess.run(
        [git, "-C", str(town.store.path), *words], check=True, capture_output=True
    ).stdout
    return raw.decode("utf-8", "replace")


def test_no_secret_stands_on_a_command_line(town: Town) -> None:
    """What `ps` shows to everybody on the machine, while a run is under way."""
    asked = town.grant("ps", duration="1h")
    with acting.job(town.box) as job:
        run = job.start(*acting.DAYPASS, "apply")
        seen = set()
        while run.poll() is None:
            seen.add(subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True).stdout)
        run.communicate()
    assert run.returncode == 0
    lines = b"\n".join(seen).decode("utf-8", "replace")
    assert sys.executable in lines
    for mark in ("ghs_", "hvs.", "s.", "Authorization"):
        assert f" {mark}" not in lines
        assert f"={mark}" not in lines
    granted_once(town, asked)


def test_a_request_from_somebody_else_for_alice_is_refused(town: Town) -> None:
    mallory = town.box.person("mallory")
    number = mallory.propose("not-mine", a_request("not-mine"), "For alice, honestly")
    town.merge(Asked("not-mine", number, mallory))
    assert town.apply().code == 0
    assert town.events("not-mine") == ["denied"]
