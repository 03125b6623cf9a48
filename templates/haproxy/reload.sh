#!/bin/sh
# Makes HAProxy serve what is in /etc/haproxy/haproxy.cfg, or says why it does not: a reload that fails
# leaves the old process serving, and systemd none the wiser.
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
echo "HAProxy did not take the new configuration and goes on with the old one:" >&2
journalctl --unit haproxy --lines 10 --output cat >&2
exit 1
