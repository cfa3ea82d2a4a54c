"""What daypass says on a pull request: escaped, so that no text can mention or format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.undecided import APPROVALS, OUTAGE
from daypass.model.instant import Instant
from daypass.model.visible import as_escape, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.lifecycle.forecast import Forecast
    from daypass.lifecycle.foundation_forecast import FoundationForecast
    from daypass.lifecycle.happening import Refusal
    from daypass.lifecycle.preview import Preview
    from daypass.lifecycle.undecided import Undecided
    from daypass.model.grant import Grant
    from daypass.policy.approvals import RefusedReview

_LONGEST: Final = 60_000  # characters of a comment, of GitHub's 65,536
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")

_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def escape(text: str) -> str:
    """Text as Markdown that shows exactly that text, on one line, and notifies nobody."""
    whole = text.encode("utf-8", "backslashreplace").decode()  # names of files can be any bytes
    line = shown(" ".join(whole.split()), as_escape)
    return _MARKUP.sub(r"\\\1", line).replace("@", "&#64;")


def fit(text: str, whole: str) -> str:
    """Cuts a text at the end of a line where GitHub would refuse it for its length.

    `whole` says where all of it stands. A delivery is never cut: it has no such text.
    """
    if len(text) <= _LONGEST:
        return text
    end = text.rfind("\n", 0, _LONGEST) + 1
    kept = text[: end or _LONGEST]
    return f"{kept}\n\n… cut here, {len(text) - len(kept)} characters before the end: {whole}\n"


def delivery_marker(grant_id: str, *, again: bool = False) -> str:
    """The first line of the comment that delivers; there is one such comment a delivery."""
    return f"<!-- daypass:{'delivery-again' if again else 'delivery'}:{grant_id} -->"


def opened_marker(grant_id: str, delivered_at: Instant) -> str:
    """The first line of the comment that asks whether the holder opened that delivery."""
    return f"<!-- daypass:opened:{grant_id}:{delivered_at.seconds} -->"


def opened(grant_id: str, logins: Sequence[str], *, seen_at: Instant, until: Instant) -> str:
    """The comment that asks the holder whether they opened the delivery, and mentions them."""
    names = " ".join(f"@{login}" for login in logins if _LOGIN.fullmatch(login))
    return f"""\
### Was it you?

{names or "The holder"}: the delivery of `{grant_id}` was opened. A run saw that at {seen_at}.

- It was you, with `age` and `bao`: comment `/claimed {grant_id}`, or run
  `daypass claim {grant_id} --was-me`. (`daypass claim` says so by itself.)
- It was not you: run `daypass claim {grant_id} --not-me`, or comment `/not-me {grant_id}`.
  That ends the grant at once, and raises an alarm.

Without a word of yours by {until}, daypass raises an alarm.
"""


def refusal_marker(grant_id: str) -> str:
    """The first line of the comment that tells of a refusal."""
    return f"<!-- daypass:refused:{grant_id} -->"


def delivery(grant: Grant, ciphertext: str) -> str:
    """The comment that delivers: what was granted, how to claim it, and the sealed token."""
    keys = "\n".join(f"- `{fingerprint}`" for fingerprint in grant.recipients)
    left = grant.not_after.since(Instant.parse(grant.delivery.time))
    minutes = max(round(min(grant.delivery.ttl, left) / 60), 1)
    window = f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"""\
### Access granted until {grant.not_after}

| | |
|---|---|
| grant | `{grant.id}` |
| for | `{grant.subject}` |
| what | `{grant.access}` on `{grant.resource}` (Vault role `{grant.mount}/{grant.role}`) |
| from | {grant.not_before} |
| until | {grant.not_after}: then it stops by itself |

Claim it within {window}, once, with the SSH key that GitHub or your identity knows:

```sh
daypass claim {grant.id} -- psql
```

<details><summary>The sealed delivery (age). It is of no use to anybody without the key</summary>

```
{ciphertext.strip()}
```

It can be opened by:
{keys}

</details>
"""


def refusal(refused: Refusal) -> str:
    """The comment that tells why a merged request was not granted, and what to do."""
    lines = "\n".join(f"- {escape(line)}" for line in refused.why)
    return f"""\
### Not granted: `{refused.grant_id}`

{fit(lines, f"`daypass explain {refused.grant_id}` shows all of it")}

The request was removed from main, and its id is spent: an approval that comes later changes
nothing. To ask again, open a pull request with a new id.
"""


def undecided_marker(name: str) -> str:
    """The first line of the one comment about a merged request that waits for an answer."""
    return f"<!-- daypass:undecided:{name} -->"


def undecided(found: Undecided) -> str:
    """The comment about a merged request that waits for an answer: which, and until when."""
    lines = "\n".join(f"- {escape(line)}" for line in found.missing)
    end = f"""\
The first run that finds it unchanged after {found.until or "the grace of the settings is over"}
refuses the request, and says so here."""
    if found.code == OUTAGE:
        end = "No run refuses the request for this, until it lapses."
    todo = "There is nothing to do on this pull request."
    if found.code == APPROVALS:
        todo = """\
There is nothing to do on this pull request if it was approved before it was merged. If it was not,
ask again in another one, with a new id."""
    return f"""\
### Not decided yet: `{found.refusal.grant_id}`

{fit(lines, f"`daypass plan` shows all of `{found.refusal.grant_id}`")}

{todo}
Nothing is granted while this is so, and each run of access-apply asks again.
{end}
"""


def no_longer_undecided() -> str:
    """What stands in its place once the request no longer waits."""
    return """\
### No longer waiting

What was missing is there, or the request was taken back. What became of it stands beside this.
"""


def stayed_undecided() -> str:
    """What stands in its place once the request is refused."""
    return """\
### No longer waiting

What was missing stayed missing: the request is refused. Why stands beside this.
"""


def too_many_marker(number: int) -> str:
    """The first line of the one comment about all requests over the limit."""
    return f"<!-- daypass:too-many:{number} -->"


def too_many(refused: Refusal) -> str:
    """The comment about all requests of a pull request that are over the limit."""
    return f"""\
### Not granted: the requests over the limit

- {escape(refused.why[0] if refused.why else "too many requests")}

These requests are removed from main, and their ids are spent. To ask again, open other pull
requests with new ids.
"""


def plan_marker() -> str:
    """The first line of the comment that shows the plan of a pull request."""
    return "<!-- daypass:plan:merge -->"


def plan(preview: Preview) -> str:
    """The plan of a pull request: what merging will do, who can approve, and who has."""
    parts = ["### What merging this will do", ""]
    parts += [f"- :no_entry: {escape(line)}" for line in preview.standing_in_the_way]
    parts += [f"- :warning: {escape(line)}" for line in preview.notes]
    parts += [f"- {escape(line)}" for line in preview.wrong]
    if preview.foundation is not None:
        parts += _plan_of_foundation(preview.foundation, preview.ready(preview.foundation))
    for item in preview.forecasts:
        parts += _plan_of(item, preview.ready(item))
    parts += [
        f"- ends `{grant.id}`: {grant.access} on {grant.resource} for {grant.subject}"
        for grant in preview.ends
    ]
    parts += [
        f"- takes back the request `{name}`, which has no live grant: it will not be granted"
        for name in preview.withdraws
    ]
    parts.append(
        "<sub>Decided again at the merge, with the approvals and policies of that moment.</sub>"
    )
    return fit("\n".join(parts) + "\n", "`daypass plan --pr N` shows all of it")


def no_plan(why: str) -> str:
    """What stands in the place of a plan where there can be none."""
    return f"""\
### What merging this will do is not known

- {escape(why[: _LONGEST // 10])}

It is decided at the merge, with the approvals and policies of that moment.
"""


def _plan_of(item: Forecast, ready: str | None) -> list[str]:
    request = item.request
    lines = [
        f"#### `{request.id}`",
        "",
        f"**{request.subject}** gets **{request.access}** on **{request.resource}**.",
        "",
        f"- does: {item.what}",
        f"- lasts: {escape(item.until)}; then Vault ends it by itself",
    ]
    lines += [f"- :no_entry: would be denied: {escape(why.message)}" for why in item.would_deny]
    lines += [
        f"- :warning: excepted by `{why.excepted_by}`: {escape(why.message)}"
        for why in item.excepted
    ]
    lines += [f"- :grey_question: not known here: {escape(why.message)}" for why in item.unknown]
    lines += [f"- approval: {escape(need)}" for need in item.still_needed]
    lines += [f"- {escape(line)}" for line in item.cannot_approve]
    lines += [f"- :warning: {escape(line)}" for line in item.missing_teams]
    if item.already:
        lines.append(f"- approved by: {escape(', '.join(item.already))}")
    lines += [
        f"- does not count: {escape(who)} approved, and is in no group whose word is needed"
        for who in item.beside
    ]
    lines += _uncounted(item.refused_reviews)
    lines += [f"- :warning: {escape(why.policy)}: {escape(why.message)}" for why in item.warnings]
    if ready is not None:
        lines.append(f"- ready: {ready}")
    return [*lines, ""]


def _plan_of_foundation(found: FoundationForecast, ready: str | None) -> list[str]:
    warning = (
        "This changes what decisions rest on. Merged without the approvals of its owners, it stops "
        "daypass: nothing is granted any more until an operator looks."
    )
    lines = ["#### Policies, resources, identities, settings, workflows", "", warning, ""]
    lines += [
        f"- :no_entry: merging this would freeze daypass: {escape(why)}"
        for why in found.would_freeze
    ]
    lines += [f"- :no_entry: merging this would break: {escape(why)}" for why in found.would_break]
    lines += [f"- :grey_question: not known here: {escape(why)}" for why in found.unknown]
    lines += [f"- approval: {escape(need)}" for need in found.still_needed]
    lines += [f"- {escape(line)}" for line in found.cannot_approve]
    if found.approved:
        lines.append(f"- approved by: {escape(', '.join(found.approved))}")
    lines += _uncounted(found.refused_reviews)
    if ready is not None:
        lines.append(f"- ready: {ready}")
    return [*lines, ""]


def _uncounted(reviews: Sequence[RefusedReview]) -> list[str]:
    return [
        f"- does not count: the review of {escape(review.login or 'a deleted account')}: "
        f"{escape(review.why)}"
        for review in reviews
    ]
