#!/usr/bin/env bash
# Runs the load tests one after the other. Exit code: 0 all passed, 1 a test failed, 2 it could not start.
set -uo pipefail

usage() {
  cat <<'TEXT'
usage: k6/run.sh [test] [profile]

  test      websocket (ws), http-api (http), batch-api (batch), e2e-load (e2e), sse, or all (the default)
  profile   smoke, baseline (the default), medium, high, stress, soak, spike

Settings, from the environment:

  HOST         host:port of the service, or http(s)://host:port   localhost:8081
  WS_HOST      the same for WebSocket and SSE only                HOST
  API_HOST     the same for REST only                             HOST
  JWT_SECRET   signs a token for each virtual user                from .env beside k6/
  JWT_TOKEN    one token for all, where there is no secret
  API_KEY      the key of the service                             from .env beside k6/
  K6           the k6 command                                     k6

Further ones: CHANNELS, DURATION or CONNECTION_DURATION, SCENARIO, BATCH_SIZE, JWT_LEEWAY_SECONDS; see k6/README.md.
TEXT
}

cannot_start() {
  echo "$1" >&2
  exit 2
}

case "${1:-}" in -h | --help | help) usage && exit 0 ;; esac

case "${1:-all}" in
  websocket | ws) tests=(websocket) ;;
  http-api | http) tests=(http-api) ;;
  batch-api | batch) tests=(batch-api) ;;
  e2e-load | e2e) tests=(e2e-load) ;;
  sse) tests=(sse) ;;
  all) tests=(websocket http-api batch-api e2e-load sse) ;;
  *) usage >&2 && exit 2 ;;
esac

case "${2:-${PROFILE:-baseline}}" in
  smoke | baseline | medium | high | stress | soak | spike) export PROFILE="${2:-${PROFILE:-baseline}}" ;;
  *) usage >&2 && exit 2 ;;
esac

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# What `npm start` has written for this machine.
from_env_file() {
  sed -n "s/^$1=//p" "$here/../.env" 2>/dev/null | head -n 1
}

export HOST="${HOST:-localhost:8081}"
export WS_HOST="${WS_HOST:-$HOST}" API_HOST="${API_HOST:-$HOST}"
export JWT_TOKEN="${JWT_TOKEN:-}"
if [[ -z "${JWT_SECRET:-}" && -z "$JWT_TOKEN" ]]; then JWT_SECRET="$(from_env_file JWT_SECRET)"; fi
export JWT_SECRET="${JWT_SECRET:-}" API_KEY="${API_KEY:-$(from_env_file API_KEY)}"

k6="${K6:-k6}"
command -v "$k6" >/dev/null || cannot_start "$k6 is not installed: https://grafana.com/docs/k6/latest/set-up/install-k6/"

health="$API_HOST/health"
[[ "$health" == *://* ]] || health="http://$health"
if command -v curl >/dev/null; then
  curl --silent --fail --max-time 10 --output /dev/null "$health" || cannot_start "No service answers at $health."
fi
[[ -n "$JWT_SECRET$JWT_TOKEN" ]] || cannot_start "Set JWT_SECRET, as the service has it, or JWT_TOKEN."

# Without somebody who watches, no progress: only the summary.
quiet=""
[[ -t 1 ]] || quiet=--quiet

failed=()
left_out=()
for test in "${tests[@]}"; do
  echo "── $test, profile $PROFILE"
  "$k6" run "$here/$test.js" ${quiet:+"$quiet"}
  code=$?
  # 108: the script has ended the run itself, because the service is not set up for it, and has said why.
  if [[ $code -eq 108 && ${#tests[@]} -gt 1 && "$test" == sse ]]; then
    left_out+=("$test")
  elif [[ $code -ne 0 ]]; then
    failed+=("$test")
  fi
done

echo "── ${#tests[@]} tests, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}${left_out[*]:+; could not be measured: ${left_out[*]}}"
[[ ${#failed[@]} -eq 0 ]]
