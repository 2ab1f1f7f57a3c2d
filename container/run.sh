#!/bin/sh
# Runs as the agent's user, below tini. Reads the secrets that the entrypoint hands over on descriptor 3, one NAME=value
# a line, and becomes Nest. By this way they are in Nest's environment alone, which it closes to the agent before it
# starts one: tini's environment could be read by the agent, and so could files.
set -eu
while IFS= read -r line <&3; do
  [ -z "$line" ] || export "${line?}"
done
exec 3<&-
exec /usr/local/bin/bun --no-env-file --config=/dev/null --no-install /opt/nest/src/main.ts serve --config /config/config.yaml "$@"
