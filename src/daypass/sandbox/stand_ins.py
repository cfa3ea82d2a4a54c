"""What stands in for GitHub's own actions when act runs a workflow: any other is not to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ARTIFACTS_VARIABLE: Final = "DAYPASS_BOX_ARTIFACTS"  # the folder of one run's artifacts
_CHECKOUT: Final = """\
name: checkout
description: clones from the box, as actions/checkout clones from GitHub
inputs:
  ref: {default: ""}
  fetch-depth: {default: "1"}
  filter: {default: ""}
  persist-credentials: {default: "true"}
  token: {default: "${{ github.token }}"}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        INPUT_REF: ${{ inputs.ref }}
        INPUT_DEPTH: ${{ inputs.fetch-depth }}
        INPUT_FILTER: ${{ inputs.filter }}
        INPUT_PERSIST: ${{ inputs.persist-credentials }}
        INPUT_TOKEN: ${{ inputs.token }}
      run: bash "$GITHUB_ACTION_PATH/checkout.sh"
"""
_CHECKOUT_SCRIPT: Final = """\
set -euo pipefail
cd "$GITHUB_WORKSPACE"
find . -mindepth 1 -delete
git init -q -b main .
git remote add origin "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"
login=$(printf 'x-access-token:%s' "$INPUT_TOKEN" | base64 -w0)
key="http.$GITHUB_SERVER_URL/.extraheader"
value="Authorization: Basic $login"
if [ "$INPUT_PERSIST" = true ]; then git config "$key" "$value"; fi
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="$key" GIT_CONFIG_VALUE_0="$value"
options=(--quiet --no-tags)
[ "$INPUT_DEPTH" = 0 ] || options+=("--depth=$INPUT_DEPTH")
[ -z "$INPUT_FILTER" ] || options+=("--filter=$INPUT_FILTER")
wanted="${INPUT_REF:-$GITHUB_REF}"
wanted="${wanted#refs/heads/}"
specs=()
[ "$INPUT_DEPTH" != 0 ] || specs+=("+refs/heads/*:refs/remotes/origin/*")
case "$wanted" in
  refs/*)
    specs+=("+$wanted:refs/remotes/${wanted#refs/}")
    git fetch "${options[@]}" origin "${specs[@]}"
    git checkout -q --detach "refs/remotes/${wanted#refs/}" ;;
  *)
    specs+=("+refs/heads/$wanted:refs/remotes/origin/$wanted")
    git fetch "${options[@]}" origin "${specs[@]}"
    git checkout -q -B "$wanted" "refs/remotes/origin/$wanted" ;;
esac
"""

_UPLOAD: Final = """\
name: upload
description: keeps files for the test, as actions/upload-artifact keeps them on GitHub
inputs:
  name: {default: "@name@"}
  path: {required: true}
  if-no-files-found: {default: "warn"}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        INPUT_NAME: ${{ inputs.name }}
        INPUT_PATH: ${{ inputs.path }}
      run: |
        mkdir -p "$DAYPASS_BOX_ARTIFACTS/$INPUT_NAME"
        cp -R "$INPUT_PATH/." "$DAYPASS_BOX_ARTIFACTS/$INPUT_NAME/"
"""
_DEPLOY: Final = """\
name: deploy
description: says where the page is, as actions/deploy-pages publishes it
outputs:
  page_url: {value: "https://pages.example.com/"}
runs:
  using: composite
  steps:
    - shell: bash
      run: test -d "$DAYPASS_BOX_ARTIFACTS/github-pages"
"""
_FILES: Final = {
    "actions/checkout": {"action.yml": _CHECKOUT, "checkout.sh": _CHECKOUT_SCRIPT},
    "actions/upload-artifact": {"action.yml": _UPLOAD.replace("@name@", "artifact")},
    "actions/upload-pages-artifact": {"action.yml": _UPLOAD.replace("@name@", "github-pages")},
    "actions/deploy-pages": {"action.yml": _DEPLOY},
}


def lay_out(folder: Path) -> dict[str, Path]:
    """Write them below that folder; returns where each is, by the name that workflows use."""
    places = {}
    for action, files in _FILES.items():
        place = places[action] = folder / action.partition("/")[2]
        place.mkdir(parents=True)
        for name, text in files.items():
            (place / name).write_text(text)
    return places
