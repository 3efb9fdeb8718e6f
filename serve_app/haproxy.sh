#!/bin/sh
# Stands where Ray Serve looks for HAProxy (RAY_SERVE_HAPROXY_BINARY_PATH), amends the configuration that
# Serve generated, and becomes the real HAProxy (VOYAGER_HAPROXY). See docs/decisions/0005-haproxy.md.
#
# 1. Statistics and metrics listen on loopback; Serve binds them to every interface.
# 2. Serve is told not to watch for disconnects: that costs two tasks a request, and our ingress watches
#    by itself where a request takes long enough for it to matter.
set -eu

config=""
previous=""
for argument in "$@"; do
    [ "$previous" = "-f" ] && config="$argument"
    previous="$argument"
done

if [ -n "$config" ]; then
    sed -i \
        -e 's/^\( *bind \)\(:\|0\.0\.0\.0:\|\*:\)/\1127.0.0.1:/' \
        -e '/^frontend http_frontend/,/^backend/ { /^ *bind / a\    http-request set-header x-request-disconnect-disabled ?1
        }' "$config"
fi

exec "$VOYAGER_HAPROXY" "$@"
