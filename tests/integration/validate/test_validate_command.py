"""`daypass validate` as a user runs it, in real git repositories."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3]
DAYPASS = Path(sys.executable).with_name("daypass")
REQUEST = """apiVersion: daypass.dev/v1
kind: AccessRequest
metadata: {{id: {name}}}
spec: {{subject: alice, resource: orders-db-replica, access: read, duration: 2h, reason: Canary}}
"""


class House:
    """A governed repository on disk: this project's own examples."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(self.root), *words],
            check=True,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_AUTHOR_NAME": "Alice",
                "GIT_AUTHOR_EMAIL": "alice@example.com",
                "GIT_COMMITTER_NAME": "Alice",
                "GIT_COMMITTER_EMAIL": "alice@example.com",
            },
        ).stdout

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def request(self, name: str) -> str:
        path = f"access/requests/{name}.yaml"
        self.write(path, REQUEST.format(name=name))
        return path

    def commit(self, message: str = "Change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def validate(
        self, *words: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if name not in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "CI")
        }
        return subprocess.run(
            [DAYPASS, "validate", "-C", str(self.root), *words],
            check=False,
            capture_output=True,
            text=True,
            env={**clean, **(env or {})},
            timeout=60,
        )

    def rules(self, *words: str) -> list[tuple[str, str]]:
        done = self.validate("--format", "json", *words)
        assert done.returncode in (0, 3), done.stderr
        findings = json.loads(done.stdout)["findings"]
        assert bool(findings) == (done.returncode == 3)
        return [(finding["rule"], finding["path"]) for finding in findings]

    def memory(self) -> list[Path]:
        """The files that an earlier validation left."""
        names = ("validated.json", "baseline.json")
        return [self.root / ".git/daypass" / name for name in names]


@pytest.fixture
def house(tmp_path: Path) -> House:
    root = tmp_path / "house"
    root.mkdir()
    house = House(root)
    house.git("init", "-q", "-b", "main")
    shutil.copytree(SOURCE / "access", root / "access")
    shutil.copytree(SOURCE / "schemas", root / "schemas")
    house.commit("Begin")
    return house


def test_this_repository_is_sound() -> None:
    done = House(SOURCE).validate("--no-cache")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("documents, no findings\n")


def test_a_finding_says_where_what_and_how(house: House) -> None:
    house.write("access/requests/a.yaml", REQUEST.format(name="a").replace("2h", "9h"))
    done = house.validate()
    assert done.returncode == 3
    assert "access/requests/a.yaml:4:" in done.stdout
    assert "request-too-long" in done.stdout
    assert "8h or less" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("1 finding in 1 file")
    assert done.stderr == ""


def test_some_paths_from_where_one_stands(house: House) -> None:
    house.write("access/requests/a.yaml", "{")
    house.request("b")
    assert house.rules("access/requests/b.yaml") == []
    assert house.rules("access/requests") == [("yaml-syntax", "access/requests/a.yaml")]
    assert house.rules(str(house.root / "access/requests/a.yaml")) != []
    inside = subprocess.run(
        [DAYPASS, "validate", "--format", "text", "a.yaml"],
        cwd=house.root / "access" / "requests",
        capture_output=True,
        text=True,
        check=False,
    )
    assert inside.returncode == 3
    for path in ("access/requests/none.yaml", "..", "/"):
        assert house.validate(path).returncode == 2


def test_what_others_rest_on_is_told_whichever_paths_are_chosen(house: House) -> None:
    house.request("a")
    house.write("access/resources/orders-db-replica.yaml", "{")
    assert house.rules("access/requests/a.yaml") == [
        ("yaml-syntax", "access/resources/orders-db-replica.yaml")
    ]


def test_links_executables_and_submodules(house: House) -> None:
    path = house.request("a")
    (house.root / "access/requests/b.yaml").symlink_to("a.yaml")
    (house.root / path).chmod(0o755)
    (house.root / "access/requests/c").mkdir()
    subprocess.run(["git", "init", "-q", str(house.root / "access/requests/c")], check=True)
    expected = [("tree-mode", f"access/requests/{name}") for name in ("a.yaml", "b.yaml", "c")]
    assert house.rules() == expected
    house.git("add", path, "access/requests/b.yaml")
    assert house.rules() == expected


def test_a_folder_behind_a_link_is_not_read(house: House, tmp_path: Path) -> None:
    house.request("a")
    house.commit()
    elsewhere = tmp_path / "elsewhere"
    (house.root / "access/requests").rename(elsewhere)
    (house.root / "access/requests").symlink_to(elsewhere)
    assert house.rules() == [("tree-mode", "access/requests")]


def test_names_that_differ_by_case(house: House) -> None:
    house.request("a")
    house.write("access/requests/A.yaml", "x")
    assert {rule for rule, _ in house.rules()} == {"tree-name", "tree-case"}


def test_ignored_files_are_not_judged(house: House) -> None:
    house.write(".gitignore", "*.swp\n")
    house.write("access/requests/.a.yaml.swp", "x")
    assert house.rules() == []


class TestNotCheckedOut:
    """What is not in the work tree, because nobody wanted it there, is read from git."""

    @pytest.fixture
    def branch(self, house: House) -> House:
        """A broken request on a branch, beside a sound one."""
        house.git("switch", "-q", "-c", "ask")
        house.request("a")
        house.write("access/requests/b.yaml", REQUEST.format(name="b").replace("2h", "9h"))
        house.commit("Ask")
        return house

    BROKEN = (("request-too-long", "access/requests/b.yaml"),)

    def test_a_sparse_checkout(self, branch: House) -> None:
        branch.git("sparse-checkout", "set", "--no-cone", "/schemas/")
        assert not (branch.root / "access").exists()
        assert branch.rules() == branch.rules("--base", "main") == list(self.BROKEN)
        assert branch.rules("access/requests/a.yaml") == []
        branch.write("access/requests/c.yaml", "{")
        assert ("yaml-syntax", "access/requests/c.yaml") in branch.rules()
        assert ("yaml-syntax", "access/requests/c.yaml") in branch.rules("--base", "main")

    def test_a_clone_without_a_checkout(self, branch: House, tmp_path: Path) -> None:
        clone = House(tmp_path / "clone")
        branch.git("clone", "-q", "--no-checkout", str(branch.root), str(clone.root))
        assert clone.rules() == clone.rules("--base", "origin/main") == list(self.BROKEN)
        clone.git("update-ref", "--no-deref", "HEAD", "origin/main")
        assert clone.validate().stdout.endswith(" documents, no findings\n")
        assert not clone.validate().stdout.startswith("0 ")

    def test_a_monorepo_is_refused_in_words(self, house: House) -> None:
        (house.root / "infra").mkdir()
        house.git("mv", "access", "schemas", "infra/")
        main = house.commit("Move")
        house.write("infra/access/requests/b.yaml", "{")
        house.commit("Ask")
        for words in ((), ("--base", main), ("infra/access",)):
            done = house.validate(*words)
            assert done.returncode == 2
            assert "access/ is in infra/" in done.stderr


def test_edited_schemas(house: House) -> None:
    schema = house.root / "schemas/resource.schema.json"
    schema.write_text(schema.read_text().replace('"database"]', '"database", "ssh"]'))
    assert house.rules() == [("schema-release", "schemas/resource.schema.json")]
    # The loader judges by its own: loosening the copy lets nothing through.
    resource = house.root / "access/resources/orders-db-replica.yaml"
    resource.write_text(resource.read_text().replace("engine: database", "engine: ssh"))
    assert ("schema-enum", "access/resources/orders-db-replica.yaml") in house.rules()


def test_a_filter_cannot_show_another_text(house: House) -> None:
    path = house.request("a")
    house.write("access/requests/b.yaml", REQUEST.format(name="b") + "  \n")
    house.commit()
    house.write(".gitattributes", "access/requests/a.yaml working-tree-encoding=UTF-16\n")
    house.git("add", ".gitattributes")
    house.git("commit", "-q", "-m", "Attributes")
    (house.root / path).unlink()
    house.git("checkout", "--", path)
    assert b"\0" in (house.root / path).read_bytes()
    assert house.rules("--no-cache") == []


class TestPullRequests:
    def test_several_requests_are_fine(self, house: House) -> None:
        house.git("switch", "-q", "-c", "ask")
        house.request("a")
        house.request("b")
        house.commit()
        done = house.validate("--base", "main")
        assert (done.returncode, done.stdout) == (0, "2 documents, no findings\n")

    def test_more_requests_than_the_settings_of_the_base_allow(self, house: House) -> None:
        settings = house.root / "access/daypass.yaml"
        text = settings.read_text()
        house.write("access/daypass.yaml", f"{text}  limits: {{requestsPerPullRequest: 1}}\n")
        house.commit()
        house.git("switch", "-q", "-c", "ask")
        house.request("a")
        house.commit()
        assert house.rules("--base", "main") == []
        over = house.request("b")
        house.commit()
        assert house.rules("--base", "main") == [("change-number", over)]

    def test_mixed_with_policy(self, house: House) -> None:
        house.git("switch", "-q", "-c", "ask")
        house.request("a")
        resource = house.root / "access/resources/orders-db-replica.yaml"
        resource.write_text(resource.read_text().replace("atLeast: 1", "atLeast: 2"))
        house.commit()
        assert house.rules("--base", "main") == [("change-mixed", "access/requests/a.yaml")]

    def test_requests_are_judged_by_the_base(self, house: House) -> None:
        # The branch is old: main has since shortened what may be asked for, and it counts when
        # the branch is merged with it; before that, where the branch left main counts.
        house.git("switch", "-q", "-c", "ask")
        path = house.request("a")
        house.commit()
        house.git("switch", "-q", "main")
        resource = house.root / "access/resources/orders-db-replica.yaml"
        text = resource.read_text().replace("maxDuration: 8h", "maxDuration: 1h")
        resource.write_text(text.replace("        8h: orders-ro-8h\n", ""))
        house.commit()
        house.git("switch", "-q", "ask")
        assert house.rules("--base", "main") == []
        house.git("merge", "-q", "--no-edit", "main")
        assert house.rules("--base", "main") == [("request-too-long", path)]

    def test_a_resource_that_is_not_on_the_base_yet(self, house: House) -> None:
        house.git("switch", "-q", "-c", "ask")
        path = house.request("a")
        new = house.root / "access/resources/new-db.yaml"
        old = (house.root / "access/resources/orders-db-replica.yaml").read_text()
        new.write_text(old.replace("orders-db-replica", "new-db"))
        house.write(path, REQUEST.format(name="a").replace("orders-db-replica", "new-db"))
        house.commit()
        # Refused as mixed, and judged by the base all the same: there is no such resource there.
        assert house.rules("--base", "main") == [
            ("change-mixed", path),
            ("reference-resource", path),
        ]

    def test_a_base_that_is_broken(self, house: House) -> None:
        settings = house.root / "access/daypass.yaml"
        sound = settings.read_text()
        settings.write_text("{")
        house.commit()
        house.git("switch", "-q", "-c", "mend")
        settings.write_text(sound)
        assert house.rules("--base", "main") == []
        house.git("switch", "-q", "-f", "-c", "ask", "main")
        house.request("a")
        done = house.validate("--base", "main")
        assert done.returncode == 3
        assert "the documents of main itself are wrong" in done.stderr

    def test_editing_renaming_and_deleting_a_live_request(self, house: House) -> None:
        path = house.request("a")
        house.commit()
        house.git("switch", "-q", "-c", "edit")
        house.write(path, REQUEST.format(name="a").replace("2h", "8h"))
        assert house.rules("--base", "main") == [("change-live-request", path)]
        house.git("checkout", "-q", "--", path)
        house.git("mv", path, "access/requests/b.yaml")
        assert ("change-renamed-request", "access/requests/b.yaml") in house.rules("--base", "main")
        house.git("reset", "-q", "--hard")
        house.git("rm", "-q", path)
        assert house.rules("--base", "main") == []

    def test_records_by_hand(self, house: House) -> None:
        house.git("switch", "-q", "-c", "forge")
        house.write("access/obligations/a.json", "{}")
        assert ("change-record", "access/obligations/a.json") in house.rules("--base", "main")

    def test_a_deleted_group_is_missed_by_those_who_name_it(self, house: House) -> None:
        house.git("switch", "-q", "-c", "tidy")
        settings = house.root / "access/daypass.yaml"
        settings.write_text(settings.read_text().replace("    orders-team: [bob, carol]\n", ""))
        found = house.rules("--base", "main")
        assert ("reference-group", "access/resources/orders-db-replica.yaml") in found

    def test_code_alone_is_none_of_its_business(self, house: House) -> None:
        house.git("switch", "-q", "-c", "code")
        house.write("src/main.py", "x = 1\n")
        house.commit()
        assert house.validate("--base", "main").stdout == "0 documents, no findings\n"


class TestBadInput:
    def test_no_repository(self, tmp_path: Path) -> None:
        done = House(tmp_path).validate()
        assert done.returncode == 1
        assert "is not a git repository" in done.stderr
        assert "-C DIR" in done.stderr

    def test_no_directory(self, tmp_path: Path) -> None:
        assert House(tmp_path / "none").validate().returncode == 1

    @pytest.mark.parametrize("revision", ["none", "--all", "main:access", ""])
    def test_an_unknown_revision(self, house: House, revision: str) -> None:
        done = house.validate(f"--base={revision}")
        assert done.returncode == 1
        assert "is no commit" in done.stderr

    def test_a_shallow_clone(self, house: House, tmp_path: Path) -> None:
        house.request("a")
        house.commit()
        clone = tmp_path / "clone"
        subprocess.run(
            ["git", "clone", "-q", "--depth=1", house.root.as_uri(), str(clone)], check=True
        )
        done = House(clone).validate("--base", "origin/main")
        assert done.returncode == 1
        assert "shallow" in done.stderr
        assert "fetch-depth: 0" in done.stderr
        assert House(clone).validate().returncode == 0

    def test_histories_that_never_met(self, house: House) -> None:
        house.git("switch", "-q", "--orphan", "other")
        house.git("commit", "-q", "--allow-empty", "-m", "x")
        done = house.validate("--base", "main")
        assert done.returncode == 1
        assert "no commit in common" in done.stderr

    def test_base_and_paths(self, house: House) -> None:
        assert house.validate("--base", "main", "access").returncode == 2

    def test_the_middle_of_a_merge(self, house: House) -> None:
        path = house.request("a")
        house.commit()
        house.git("switch", "-q", "-c", "other", "HEAD~1")
        house.write(path, "other\n")
        house.commit()
        with pytest.raises(subprocess.CalledProcessError):
            house.git("merge", "-q", "main")
        done = house.validate()
        assert done.returncode == 1
        assert "in the middle of a merge" in done.stderr


class TestFormats:
    def test_annotations_and_a_step_summary(self, house: House, tmp_path: Path) -> None:
        house.write("access/requests/a.yaml", 'a: "::error::\\u0007"\n')
        summary = tmp_path / "summary.md"
        summary.write_text("before\n")
        done = house.validate(env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})
        assert done.returncode == 3
        lines = done.stdout.splitlines()
        assert lines[0].startswith("::error file=access/requests/a.yaml,line=1,col=4,title=")
        assert [line.startswith("::") for line in lines] == [True, False]
        assert summary.read_text().startswith("before\n### daypass validate")

    def test_json(self, house: House) -> None:
        value = json.loads(house.validate("--format", "json").stdout)
        assert value["findings"] == []
        assert value["documents"] >= 8


class TestRemembering:
    def test_what_was_sound_is_not_read_again(self, house: House) -> None:
        house.request("a")
        house.commit()
        assert house.rules() == []
        kept = house.root / ".git/daypass/validated.json"
        assert "access/requests/a.yaml" in kept.read_text()
        assert "Canary" not in kept.read_text()
        assert house.rules() == []

    def test_what_it_names_is_checked_again(self, house: House) -> None:
        path = house.request("a")
        house.commit()
        assert house.rules() == []
        (house.root / "access/resources/orders-db-replica.yaml").unlink()
        assert ("reference-resource", path) in house.rules()

    def test_findings_are_found_again(self, house: House) -> None:
        house.write("access/requests/a.yaml", "{")
        assert house.rules() == house.rules() != []

    def test_a_renamed_file_is_judged_by_its_new_name(self, house: House) -> None:
        path = house.request("a")
        assert house.rules() == []
        (house.root / path).rename(house.root / "access/requests/b.yaml")
        assert house.rules() == [("document-name", "access/requests/b.yaml")]

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda text: text.replace("daypass", "daypats", 1),
            lambda text: text[: len(text) // 2],
            lambda text: text.replace("2h", "3h"),
            lambda _: "",
            lambda _: "\0" * 100,
            lambda _: "[" * 100_000,
        ],
    )
    def test_a_spoilt_memory_is_not_believed(self, house: House, spoil: object) -> None:
        house.request("a")
        assert house.rules() == []
        assert callable(spoil)
        spoilt = {}
        for kept in house.memory():
            kept.write_text(spoil(kept.read_text()))
            spoilt[kept] = kept.read_bytes()
        assert house.rules() == []
        assert all(kept.read_bytes() != before for kept, before in spoilt.items())

    def test_a_memory_that_others_can_write_is_not_believed(self, house: House) -> None:
        house.request("a")
        assert house.rules() == []
        for kept in house.memory():
            kept.chmod(0o666)
        house.request("b")
        assert house.rules() == []
        assert {kept.stat().st_mode & 0o777 for kept in house.memory()} == {0o600}

    def test_a_baseline_of_another_commit_is_not_believed(self, house: House) -> None:
        """A commit that was never judged cannot be slipped into it: its seal is over all of it."""
        assert house.rules() == []
        baseline = house.root / ".git/daypass/baseline.json"
        sound = house.git("rev-parse", "HEAD").strip()
        house.write("access/requests/a.yaml", "{")
        broken = house.commit("Break it")
        head, _, payload = baseline.read_text().partition("\n")
        baseline.write_text(f"{head}\n{payload.replace(sound, broken)}")
        assert [rule for rule, _ in house.rules()] == ["yaml-syntax"]

    def test_what_was_committed_and_never_judged_is_judged_when_it_comes_back(
        self, house: House
    ) -> None:
        house.write("access/requests/a.yaml", "{")
        house.commit("Break it")
        house.request("a")
        assert house.rules() == []
        house.git("checkout", "-q", "--", ".")
        assert [rule for rule, _ in house.rules()] == ["yaml-syntax"]

    def test_what_is_remembered_never_changes_the_answer(self, house: House) -> None:
        """Whatever has been done to the tree: the same findings, and as many documents judged."""
        first = house.request("a")
        other = house.request("b")
        moved = "access/requests/moved.yaml"
        answers = set()
        for step in (
            lambda: None,
            house.commit,
            lambda: house.write(first, REQUEST.format(name="a").replace("2h", "1h")),
            lambda: house.write(first, REQUEST.format(name="a").replace("2h", "99d")),
            lambda: house.write(first, REQUEST.format(name="a") + "# no matter\n"),
            lambda: house.git("add", "-A"),
            (house.root / other).unlink,
            lambda: house.git("rm", "-q", "--cached", other),
            lambda: house.request("c"),
            lambda: house.request("b"),
            lambda: house.git("add", "-N", "access/requests/c.yaml"),
            lambda: (house.root / first).chmod(0o755),
            lambda: (house.root / first).chmod(0o644),
            lambda: (house.root / first).rename(house.root / moved),
            lambda: house.write(moved, REQUEST.format(name="moved")),
            lambda: (house.root / "access/requests/d.yaml").symlink_to("moved.yaml"),
            (house.root / "access/requests/d.yaml").unlink,
            lambda: house.write("access/requests/Not-A-Name.yaml", REQUEST),
            (house.root / "access/requests/Not-A-Name.yaml").unlink,
            lambda: house.write("access/requests/e.yaml", "kind: AccessRequest\n"),
            lambda: house.commit("With a broken one"),
            lambda: house.request("e"),
            lambda: house.git("stash", "-q"),
            lambda: house.git("checkout", "-q", "HEAD~1"),
            lambda: house.write("access/resources/orders-db-replica.yaml", "{"),
        ):
            step()
            remembered, anew = (
                house.validate("--format", "json", *words) for words in ((), ("--no-cache",))
            )
            assert (remembered.returncode, remembered.stdout) == (anew.returncode, anew.stdout)
            answers.add(anew.stdout)
        assert len(answers) > 6

    def test_no_cache(self, house: House) -> None:
        assert house.rules("--no-cache") == []
        assert not (house.root / ".git/daypass").exists()

    def test_a_full_or_read_only_disk_only_costs_time(self, house: House) -> None:
        (house.root / ".git/daypass").write_text("in the way")
        assert house.rules() == []


def test_what_validate_does_not_import(house: House) -> None:
    house.request("a")
    script = (
        "import sys\n"
        "from daypass.cli.main import main\n"
        "code = main(['validate', '-C', sys.argv[1]])\n"
        "heavy = {'hvac', 'github', 'requests', 'jinja2', 'cryptography', 'pyrage', 'jsonschema'}\n"
        "print(sorted(heavy & set(sys.modules)), code)\n"
    )
    for words in ("[] 0", "[] 0"):  # the second run knows all results
        done = subprocess.run(
            [sys.executable, "-c", script, str(house.root)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == words
    house.write("access/requests/a.yaml", "kind: AccessRequest\n")
    done = subprocess.run(
        [sys.executable, "-c", script, str(house.root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "['jsonschema'] 3"
