#!/bin/sh
# Smoke test of a Procfile app in any CI. Usage: sh smoke.sh [TEST COMMAND…], in the directory of the Procfile.
#
# Starts the app, runs the test command against it, and stops the app. Afterwards the directory $REPORTS contains the
# files for the CI service: smoke.xml (JUnit), smoke.json, and the log of each dyno. The exit status is that of the test
# command; if the command could not run, the last line of the output says why.
set -eu

reports=${REPORTS:-smoke-reports}
mkdir -p "$reports"

# `--http` because a server may listen before it can answer requests.
exec dyno smoke --http "${HEALTH:-/}" \
    --junit "$reports/smoke.xml" --json "$reports/smoke.json" --log-dir "$reports/log" \
    ${1:+--} "$@"
