#!/bin/sh
# Fits Redis to the machine: a quarter of its memory, between 256 MB and 16 GB. In a container 256 MB, and no user
# namespace, which containers refuse.
set -eu
limit=256
unit=/etc/systemd/system/redis-server.service.d/container.conf
if systemd-detect-virt --container --quiet; then
    printf '[Service]\nPrivateUsers=no\n' > "$unit"
else
    rm -f "$unit"
    limit=$(awk '/^MemTotal/ { mb = int($2 / 4096); print (mb < 256) ? 256 : (mb > 16384) ? 16384 : mb }' /proc/meminfo)
fi
printf 'maxmemory %smb\n' "$limit" > /etc/redis/memory.conf
chown root:redis /etc/redis/memory.conf
chmod 0640 /etc/redis/memory.conf
systemctl daemon-reload
systemctl restart redis-server
