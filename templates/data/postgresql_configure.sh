#!/bin/sh
# Makes Debian's main cluster, of whatever version, use /etc/slipway/postgresql.
set -eu
version=$(pg_lsclusters --no-header | awk '$2 == "main" { print $1; exit }')
if [ -z "$version" ]; then
    echo "no PostgreSQL cluster is called main: see pg_lsclusters" >&2
    exit 1
fi
folder="/etc/postgresql/$version/main/conf.d"
mkdir -p "$folder"
ln -sfn /etc/slipway/postgresql/slipway.conf "$folder/slipway.conf"

# A quarter of the memory, as PostgreSQL's manual advises; a container sees its whole machine's.
shared=128
if ! systemd-detect-virt --container --quiet; then
    shared=$(awk '/^MemTotal/ { mb = int($2 / 4096); print (mb < 128) ? 128 : (mb > 8192) ? 8192 : mb }' /proc/meminfo)
fi
printf "shared_buffers = '%sMB'\n" "$shared" > "$folder/slipway-memory.conf"

unit="postgresql@$version-main"
systemctl reload-or-restart "$unit"
sleep 0.5
pending=$(runuser -u postgres -- psql -XAtc "SELECT count(*) FROM pg_settings WHERE pending_restart")
if [ "$pending" != 0 ]; then
    systemctl restart "$unit"
fi
refused=$(runuser -u postgres -- psql -XAtc "SELECT sourcefile || ':' || sourceline || ' ' || error
    FROM pg_file_settings WHERE error IS NOT NULL AND error <> 'setting could not be applied'")
if [ -n "$refused" ]; then
    echo "PostgreSQL rejects a setting: $refused" >&2
    exit 1
fi
