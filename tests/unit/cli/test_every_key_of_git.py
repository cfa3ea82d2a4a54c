"""Every key that git knows: put out of force, refused, or looked at and let be, with the reason.

A newer git has new keys. The test then names them: read in `git help config` what each does, and
put it into the guard, or into a row here.
"""

from __future__ import annotations

import re
import subprocess

from daypass.adapters.git import guard
from daypass.adapters.git.guard import Guard
from daypass.errors import GitError

# Sections and keys, in lower case, and why a clone may set them.
LET_BE = {
    "only of commands that daypass never runs": r"""
        add|am|apply|blame|branch|browser|checkout|clean|clone|column|commit|commitgraph|completion
        |difftool|format|gitcvs|gitweb|grep|gui|guitool|help|imap|init|instaweb|interactive|man
        |mailinfo|mergetool|merge|pull|rebase|rerere|revert|replay|scalar|sendemail|sequence
        |showbranch|stash|status|tag|tar|web|worktree|credentialcache|credentialstore|versionsort
        |rebase|repack|attr|bitmappseudomerge|gitcvs|promisor|sparse|author|committer|user|notes
    """,
    "words and colours, and none of those that are read": r"advice|color|pretty|i18n",
    "of the side that is asked, which reads its own configuration": r"""
        receive|uploadpack|uploadpackfilter|uploadarchive|lsrefs
    """,
    "git reads it of the user's and the system's configuration alone": r"trace2|safe",
    "how packs, the index and their files are laid out": r"""
        pack|index|splitindex|fsmonitor|fsck|fastimport|feature|gc|maintenance|extensions|reftable
    """,
    "no terminal is there, so no pager": r"pager",
    "an alias has no say where git has a command of that name": r"alias",
    "what a bundle is made of; downloading one is refused (fetch.bundleuri)": r"bundle",
    "git lists what it names, and the listing counts, with a time limit": r"include|includeif",
    "GIT_ALLOW_PROTOCOL comes first; `version` changes no address": r"protocol",
    "submodules are never gone into": r"submodule",
    "GIT_SSH_VARIANT comes first": r"ssh\.variant",
    "names lists of remotes; with a refspec git refuses them": r"remotes",
    "the address is asked of git after it was rewritten; tokens and pushes go to one": r"url",
    "the same for a remote; a push names its refs, and `--no-tags` its tags": r"""
        remote|remote\..*\.(url|pushurl|fetch|push|mirror|prune|prunetags|tagopt|promisor|
        partialclonefilter|skipdefaultupdate|skipfetchall|serveroption|followremotehead)
        |remote\.pushdefault
    """,
    "diff: raw lists alone are asked for; drivers run only with a patch or by name": r"diff",
    "log: each list has a format of its own, and no patch": r"log|mailmap",
    "the user's helpers are not asked in a clone that sets any": r"credential",
    "how a fetch goes; each names what it takes": r"""
        fetch\.(fsck|fsck\..*|fsckobjects|negotiationalgorithm|output|parallel|prune|prunetags
        |showforcedupdates|unpacklimit|writecommitgraph|recursesubmodules|all|bundlecreationtoken)
    """,
    "how a transfer goes": r"transfer",
    "how a push goes; each names what it moves": r"push",
    "a filter is switched off by its name": r"filter",
    "signing programs are none": r"gpg",
    "core: files, locks, sizes and spellings of this clone, which is its own": r"""
        core\.(abbrev|alternaterefsprefixes|autocrlf|bare|bigfilethreshold|checkroundtripencoding
        |checkstat|commentchar|commentstring|compression|createobject|deltabasecachelimit|eol
        |excludesfile|filemode|filesreflocktimeout|fsmonitorhookversion|fsync|fsyncmethod
        |fsyncobjectfiles|hidedotfiles|ignorecase|ignorestat|logallrefupdates|loosecompression
        |maxtreedepth|multipackindex|notesref|packedgitlimit|packedgitwindowsize|packedrefstimeout
        |precomposeunicode|prefersymlinkrefs|preloadindex|protecthfs|protectntfs|safecrlf
        |repositoryformatversion|restrictinheritedhandles|sharedrepository|sparsecheckout
        |sparsecheckoutcone|splitindex|symlinks|trustctime|unsetenvvars|warnambiguousrefs
        |whitespace|warnambiguousrefs)
    """,
    "GIT_NO_REPLACE_OBJECTS and GIT_WORK_TREE come first": r"core\.(usereplacerefs|worktree)",
    "GIT_PROXY_COMMAND comes first": r"core\.gitproxy",
    "GIT_SSH_COMMAND comes first": r"core\.sshcommand",
    "as `extraHeader`: names no host, file or password": r"""
        http\.(extraheader|postbuffer|version|lowspeedlimit|lowspeedtime|maxrequests|minsessions
        |useragent|keepaliveidle|keepaliveinterval|keepalivecount|maxretries|retryafter
        |maxretrytime)
    """,
}
# Of which no whole section is let be: each key of it is looked at by itself.
BY_KEY = {"core", "http", "fetch", "remote", "hook", "ssh"}
FIXED = {key.lower() for key, _ in guard._CONFIG}


def listed() -> list[str]:
    """The keys that this git knows, in lower case; those that end with a dot are only begun."""
    words = ["git", "help", "--config-for-completion"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return [line.lower() for line in done.stdout.splitlines()]


def why_let_be(key: str) -> str | None:
    section = key.partition(".")[0]
    for why, pattern in LET_BE.items():
        found = re.compile(re.sub(r"\s", "", pattern))
        if found.fullmatch(key.rstrip(".")) and section in BY_KEY:
            return why
        if section not in BY_KEY and (found.fullmatch(section) or found.fullmatch(key)):
            return why
    return None


def is_stopped(key: str) -> bool:
    """Whether the guard overrules it, refuses the clone, or keeps it from http."""
    if key in FIXED:
        return True
    try:
        found = Guard.read(f"local\0{key}\nx\0".encode())
    except GitError:
        return True
    return bool(found.barring)


def test_each_key_that_git_knows_is_stopped_or_was_looked_at() -> None:
    keys = listed()
    assert len(keys) > 700
    # A section, or a subsection of any name, is no key: what can follow it is in the next test.
    begun = {"remote.", "http.", "hook.", "fetch.fsck."}
    unknown = [key for key in keys if key not in begun and not is_stopped(key)]
    assert [key for key in unknown if why_let_be(key) is None] == []


def test_what_can_do_harm_is_stopped_whatever_it_is_called_after() -> None:
    for key in (
        *("remote.x.uploadpack", "remote.x.receivepack", "remote.x.vcs", "remote.x.y.vcs"),
        *("remote.x.proxy", "remote.x.proxyauthmethod", "fetch.bundleuri", "hook.x.command"),
        *("http.https://github.com.cookiefile", "http.https://github.com/a.b.proxy", "http.new"),
    ):
        assert is_stopped(key), key
    for key in ("remote.x.url", "http.https://github.com/.extraheader", "branch.x.remote"):
        assert not is_stopped(key), key
    listing = b"local\0filter.lfs.process\nevil\0"
    assert ("filter.lfs.process", "") in Guard.read(listing).settings
