#!/bin/sh
# Makes services of compose.yaml members of its controller's fleet: docker/enroll.sh agent-1 agent-2 agent-3
# The token goes through the environment of one container that ends; no file, image or command line holds it.
set -eu
compose=${COMPOSE:-docker compose -f $(dirname "$0")/compose.yaml}
for service in "$@"; do
    line=$($compose exec -T controller controller enroll new --name "$service" --host controller </dev/null)
    JETFLEET_JOIN_TOKEN=${line#JETFLEET_JOIN_TOKEN=}
    export JETFLEET_JOIN_TOKEN="${JETFLEET_JOIN_TOKEN%% *}"
    # shellcheck disable=SC2086 # the words of the line
    $compose run --rm -T -e JETFLEET_JOIN_TOKEN "$service" enroll ${line#* agent enroll } </dev/null
done
