#!/bin/sh
# Smoke test of a Procfile app in any CI: sh smoke.sh [TEST COMMAND…], in the directory of the Procfile.
#
# Brings the app up, runs the test command against it and stops it. What a CI service collects is in $REPORTS then:
# smoke.xml (JUnit), smoke.json, and the log of each dyno. The status is that of the test command; where it could not
# run, the last line says why.
set -eu

reports=${REPORTS:-smoke-reports}
mkdir -p "$reports"

# `--http`, since a server may listen before it can answer.
exec dyno smoke --http "${HEALTH:-/}" \
    --junit "$reports/smoke.xml" --json "$reports/smoke.json" --log-dir "$reports/log" \
    ${1:+--} "$@"
