#!/bin/sh
# Stands where Ray Serve looks for HAProxy (RAY_SERVE_HAPROXY_BINARY_PATH): amends the configuration that Serve
# generated (haproxy_config.py) and becomes the supervisor of the real HAProxy (supervisor.py). Both that and
# HAProxy get nothing of this environment but the mark of the run. See docs/decisions/0005-haproxy.md.
set -eu

here=$(dirname "$(readlink -f "$0")")
python=$(command -v "${VOYAGER_PYTHON:-python3}")

config=""
previous=""
for argument in "$@"; do
    [ "$previous" = "-f" ] && config="$argument"
    previous="$argument"
done

megabytes=$(PYTHONPATH="$(dirname "$here")${PYTHONPATH:+:$PYTHONPATH}" \
    "$python" -m serve_app.haproxy_config "$config" "$config.$$")
exec env -i VOYAGER_RUN="${VOYAGER_RUN:-}" \
    "$python" -I -S "$here/supervisor.py" "$VOYAGER_HAPROXY" "$config.$$" -m "$megabytes" "$@"
