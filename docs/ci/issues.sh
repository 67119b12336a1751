#!/usr/bin/env bash
# One issue a regression: opened by the first night that fails, told of by each that follows, closed by the first that passes.
# usage: issues.sh night.json     wants gh (with GH_TOKEN) and jq
set -euo pipefail
night=$1 label=quantgate-nightly
run=$(jq -r .run "$night")
where=${GITHUB_RUN_ID:+"$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"}

gh label create "$label" --description "opened and closed by the nightly run" 2>/dev/null || true
open=$(gh issue list --label "$label" --state open --limit 1000 --json number,title)

# A line a suite: verdict, title, and why. A broken night neither opens an issue nor closes one.
jq -r '.lines[] | select(.verdict == "fail" or .since_approval == "fail" or .verdict == "pass")
  | [(if .verdict == "fail" or .since_approval == "fail" then "fail" else "pass" end),
     "quantgate: \(.family)/\(.checkpoint) \(.suite) on \(.device_class)",
     "\(.reason) (value \(.value), vLLM \(.versions.vllm))"] | @tsv' "$night" |
  while IFS=$'\t' read -r verdict title why; do
    number=$(jq -r --arg title "$title" 'map(select(.title == $title))[0].number // empty' <<<"$open")
    if [[ $verdict == fail && -n $number ]]; then
      gh issue comment "$number" --body "Night $run: $why $where"
    elif [[ $verdict == fail ]]; then
      gh issue create --label "$label" --title "$title" --body "Night $run: $why $where"
    elif [[ -n $number ]]; then
      gh issue close "$number" --comment "Night $run passes: $why $where"
    fi
  done
