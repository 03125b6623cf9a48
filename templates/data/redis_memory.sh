#!/bin/sh
# A quarter of the machine's memory for Redis, between 256 MB and 16 GB; 256 MB in a container.
set -eu
limit=256
if ! systemd-detect-virt --container --quiet; then
    limit=$(awk '/^MemTotal/ { mb = int($2 / 4096); print (mb < 256) ? 256 : (mb > 16384) ? 16384 : mb }' /proc/meminfo)
fi
printf 'maxmemory %smb\n' "$limit" > /etc/redis/memory.conf
chown root:redis /etc/redis/memory.conf
chmod 0640 /etc/redis/memory.conf
