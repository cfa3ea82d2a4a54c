"""The plan of one pull request, in words or as JSON: what its merge would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli import output, step_summary
from daypass.cli.plan_foundation import show_foundation, show_needed, show_uncounted
from daypass.errors import ExitCode
from daypass.lifecycle import messages

if TYPE_CHECKING:
    from daypass.lifecycle.forecast import Forecast
    from daypass.lifecycle.preview import Preview


def show_preview(preview: Preview, form: str) -> ExitCode:
    """Write it to standard output, and to the workflow run's summary with the form `github`."""
    if form == "json":
        output.say_json(
            {
                "forecasts": [item.to_json() for item in preview.forecasts],
                "ends": [grant.id for grant in preview.ends],
                "withdraws": list(preview.withdraws),
                "wrong": list(preview.wrong),
                "standingInTheWay": list(preview.standing_in_the_way),
                "notes": list(preview.notes),
                "foundation": preview.foundation.to_json() if preview.foundation else None,
            }
        )
    else:
        _say(preview, annotate=form == "github")
    if form == "github" and preview.is_about_access:
        step_summary.append(messages.plan(preview))
    return ExitCode.DENIED if preview.is_denied else ExitCode.DONE


def _say(preview: Preview, *, annotate: bool) -> None:
    for style, word, lines in (
        ("red", "look here ", preview.standing_in_the_way),
        ("yellow", "note      ", preview.notes),
        ("red", "wrong     ", preview.wrong),
    ):
        for line in lines:
            output.say(output.styled(word, style) + output.printable(line))
    if (found := preview.foundation) is not None:
        show_foundation(found, ready=preview.ready(found), annotate=annotate)
    for item in preview.forecasts:
        show_forecast(item, ready=preview.ready(item), annotate=annotate)
    for grant in preview.ends:
        output.say(f"ends      {grant.id}: {grant.access} on {grant.resource} for {grant.subject}")
    for name in preview.withdraws:
        output.say(f"withdraws {name}: it has no live grant, and will not be granted")
    if not (preview.is_about_access or preview.standing_in_the_way):
        output.say("this change neither asks for access nor ends any")


def show_forecast(item: Forecast, *, ready: str | None, annotate: bool = False) -> None:
    """One forecast in words, to standard output. `ready`: said of one that needs nothing more."""
    request = item.request
    output.say(
        f"{output.styled(request.id, 'bold')}: {request.subject} gets {request.access} on "
        f"{request.resource}"
    )
    output.say(f"  does      {item.what}")
    output.say(f"  lasts     {item.until}; then Vault ends it by itself")
    _show_against(item, annotate=annotate)
    show_needed(item.still_needed, item.cannot_approve)
    for line in item.missing_teams:
        output.say(f"  {output.styled('look here', 'red')} {output.printable(line)}")
    if item.already:
        output.say(f"  approved  by {', '.join(item.already)}")
    for who in item.beside:
        output.say(f"  not asked {who} approved, and is in no group whose word is needed")
    show_uncounted(item.refused_reviews)
    for warning in item.warnings:
        output.say(f"  warning   {output.printable(f'{warning.policy}: {warning.message}')}")
    if ready is not None:
        output.say(f"  {output.styled('ready', 'green')}     {ready}")


def _show_against(item: Forecast, *, annotate: bool) -> None:
    """What would deny it, what would but for an exception, and what is not known here."""
    for why in item.would_deny:
        text = f"{why.policy}/{why.rule}: {why.message}"
        output.say(f"  {output.styled('denied', 'red')}    {output.printable(text)}")
        if annotate:
            output.annotate("error", text, title="daypass: would be denied")
    for why in item.excepted:
        text = f"{why.policy}/{why.rule}, by {why.excepted_by}: {why.message}"
        output.say(f"  {output.styled('excepted', 'yellow')}  {output.printable(text)}")
    for why in item.unknown:
        text = f"{why.policy}/{why.rule}: {why.message}"
        output.say(f"  {output.styled('not known', 'yellow')} {output.printable(text)}")
