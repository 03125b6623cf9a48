# Install the packages named as arguments. On a machine that has just started, its own updates may hold apt's
# locks for minutes; and a set-up that was cut off may have left packages half-way.
set -eu
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
said=$(mktemp)
trap 'rm -f "$said"' EXIT

patiently() {
    tries=0
    until "$@" >"$said" 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 60 ] || { [ "$tries" -ge 3 ] && ! grep -qi 'lock' "$said"; }; then
            cat "$said" >&2
            exit 1
        fi
        sleep 5
    done
}

[ -z "$(dpkg --audit)" ] || patiently dpkg --configure -a
patiently apt-get -qq update
patiently apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    --no-install-recommends install "$@"
