#!/bin/sh
# Makes HAProxy serve /etc/haproxy/haproxy.cfg, or fails with its error: after a failed reload the old process
# serves on, and systemd does not notice.
set -eu
main=$(systemctl show --property MainPID --value haproxy)
before=$(pgrep --newest --parent "$main")
systemctl reload haproxy
for _ in $(seq 150); do
    sleep 0.1
    if [ "$(pgrep --newest --parent "$main")" != "$before" ]; then
        exit 0
    fi
done
echo "HAProxy did not accept the new configuration and serves the old one:" >&2
journalctl --unit haproxy --lines 10 --output cat >&2
exit 1
