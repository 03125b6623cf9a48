"""Small sabotages of hosts, as data: many are done at once, and one run of the checks must name every one."""

# Lines of a shell are long.
# ruff: noqa: E501
from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Sabotage:
    """One thing that does not belong on a host, or is no longer there."""

    check: str
    """Id of the check that must fail on the host."""
    host: str
    do: str
    undo: str
    says: str
    """What the check's reason must name."""
    stdin: str = ""
    """What `do` reads: `secret` (a value of the store), or `base64`, `bearer`, `key` of it."""

    def __str__(self) -> str:
        return f"{self.check.partition('/')[2]}: {self.says}".replace(" ", "-")


STRANGER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqG0fW1Xu8hVx2kT3sZb0hQ6q9yKX3d1o1uLxq2m9aa stranger"
PEM = "/usr/local/share/ca-certificates/stranger.crt"
LISTEN = """systemd-run -q --unit {name} python3 -c '
import socket, time
listening = socket.socket(socket.AF_INET{six}, socket.SOCK_{kind})
listening.bind(("{address}", {port}))
listening.listen() if "{kind}" == "STREAM" else None
time.sleep(900)'; sleep 0.3"""


def placed(path: str, content: str = "# stranger", mode: str = "644") -> tuple[str, str]:
    """A file, and its removal."""
    made = f"mkdir -p $(dirname {path}); printf '%s\\n' '{content}' > {path}; chmod {mode} {path}"
    return made, f"rm -f {path}"


def kept(path: str, change: str) -> tuple[str, str]:
    """A file changed, and put back with owner, mode and date."""
    copy = f"/root/kept{path.replace('/', '-')}-{hashlib.sha256(change.encode()).hexdigest()[:8]}"
    return (
        f"cp -p {path} {copy} && {{ {change}; }}",
        f"cat {copy} > {path} && chmod --reference={copy} {path} && touch -r {copy} {path} && rm {copy}",
    )


def listener(name: str, port: int, kind: str = "STREAM", address: str = "0.0.0.0") -> tuple[str, str]:
    """A program that listens, and its end."""
    six = "6" if ":" in address else ""
    start = LISTEN.format(name=name, kind=kind, address=address, port=port, six=six)
    return start, f"systemctl stop {name}; systemctl reset-failed {name} 2>/dev/null; true"


def mode(path: str, wrong: str) -> tuple[str, str]:
    """Another mode, and the one before."""
    note = f"/root/mode{path.replace('/', '-')}"
    return f"stat -c %a {path} > {note}; chmod {wrong} {path}", f"chmod $(cat {note}) {path}; rm {note}"


def drop_in(unit: str, *lines: str) -> tuple[str, str]:
    """Settings of a unit overridden until the next boot."""
    folder = f"/run/systemd/system/{unit}.d"
    text = "\\n".join(("[Service]", *lines))
    reload = "systemctl daemon-reload"
    return f"mkdir -p {folder}; printf '{text}\\n' > {folder}/zz.conf; {reload}", f"rm -r {folder}; {reload}"


RUN = """
import json, subprocess, sys
for script, given in json.load(sys.stdin):
    done = subprocess.run(["sh", "-c", script], input=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(script.partition(chr(10))[0][:120], done.stdout[-300:])
"""
"""On a host: run scripts, each with its standard input, and print those that fail."""

ACCOUNT, KEY, SSHD = (
    "I7/only-known-accounts-may-sign-in",
    "I7/only-known-keys-open-ssh",
    "I7/sshd-is-set-as-it-was-set-up",
)
SUDO, STARTUP = "I7/sudo-has-only-known-rules", "I7/nothing-starts-that-does-not-belong"
PRIVILEGE, PROGRAM = "I7/only-known-programs-have-privileges", "I7/programs-are-those-of-their-packages"
PORT, FIREWALL = "I7/nothing-unexpected-listens", "I7/the-firewall-is-loaded-as-its-file"
MODE, AUTHORITY = "I7/files-have-their-owner-and-mode", "I7/only-known-authorities-are-trusted"
SET_UP, MOUNT = "I3/the-set-up-is-unchanged", "I7/only-known-disks-are-mounted"
APP, SERVICE = "P9/app-units-are-hardened", "P9/services-are-hardened"
KERNEL, JOURNAL = "I11/the-kernel-is-set-as-it-was-set-up", "I11/logs-survive-a-reboot-and-have-a-limit"
PACKAGE, DISK = "I11/packages-are-free-to-be-updated", "I11/disks-have-room"
FILE_SECRET, PRIVATE_KEY = (
    "I9/only-their-own-files-hold-secrets",
    "I9/only-their-service-can-read-private-keys",
)
COMMAND, ENVIRONMENT = "I9/no-command-line-holds-a-secret", "I9/no-foreign-environment-holds-a-secret"
LOG = "P8/no-log-holds-a-secret"
NAMES, ROUTES = "I7/names-are-looked-up-where-the-platform-says", "I7/packets-take-the-platforms-routes"
ADMIN = "socat - unix-connect:/run/haproxy/admin.sock"

SABOTAGES = (
    Sabotage(ACCOUNT, "web1", "useradd -m -s /bin/bash mallory", "userdel -r mallory 2>/dev/null; chmod 640 /etc/shadow-", "mallory"),
    Sabotage(ACCOUNT, "web2", "gpasswd -a app-web sudo", "gpasswd -d app-web sudo", "group sudo"),
    Sabotage(ACCOUNT, "edge", "usermod -p '$6$x$y' root", "usermod -p '*' root", "has a password"),
    Sabotage(
        ACCOUNT, "worker1", "usermod -s /bin/sh app-worker", "usermod -s /usr/sbin/nologin app-worker", "app-worker"
    ),
    Sabotage(ACCOUNT, "data1", *kept("/etc/passwd", "echo 'toor:x:0:0::/root:/bin/sh' >> /etc/passwd"), "toor"),
    Sabotage(ACCOUNT, "data1", "usermod -p '' backup", "usermod -p '*' backup", "empty password"),
    Sabotage(
        KEY, "web1", *kept("/root/.ssh/authorized_keys", f"echo '{STRANGER}' >> /root/.ssh/authorized_keys"), "SHA256"
    ),
    Sabotage(KEY, "web2", *placed("/root/.ssh/authorized_keys2", STRANGER), "authorized_keys2"),
    Sabotage(KEY, "data1", *placed("/var/lib/postgresql/.ssh/authorized_keys", STRANGER), "/var/lib/postgresql/.ssh"),
    Sabotage(KEY, "edge", *placed("/var/lib/haproxy/.ssh/authorized_keys", STRANGER), "/var/lib/haproxy"),
    Sabotage(
        SSHD, "edge",
        *placed("/etc/ssh/sshd_config.d/00-x.conf", "AuthorizedKeysCommand /bin/true\nAuthorizedKeysCommandUser root"),
        "authorizedkeyscommand",
    ),
    Sabotage(SSHD, "web1", *placed("/etc/ssh/sshd_config.d/00-x.conf", "TrustedUserCAKeys /tmp/ca.pub"), "trustedusercakeys"),
    Sabotage(
        SSHD, "worker1",
        *placed("/etc/ssh/sshd_config.d/zz.conf", "Match User root\nPasswordAuthentication yes"), "passwordauthentication",
    ),
    Sabotage(
        SSHD, "data1", *placed("/etc/ssh/sshd_config.d/00-x.conf", "AuthorizedKeysFile /etc/ssh/keys/%u"), "authorizedkeysfile"
    ),
    Sabotage(SUDO, "web1", *placed("/etc/sudoers.d/zz", "app-web ALL=(ALL) NOPASSWD:ALL", "440"), "/etc/sudoers.d/zz"),
    Sabotage(SUDO, "web2", *kept("/etc/sudoers", "echo 'backup ALL=(ALL) NOPASSWD: ALL' >> /etc/sudoers"), "backup ALL"),
    Sabotage(SUDO, "edge", *kept("/etc/sudoers", "echo 'Defaults !authenticate' >> /etc/sudoers"), "!authenticate"),
    Sabotage(
        STARTUP, "web1",
        "printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n' > /etc/systemd/system/stranger.timer;"
        "printf '[Service]\\nExecStart=/bin/true\\n' > /etc/systemd/system/stranger.service;"
        "systemctl daemon-reload; systemctl enable -q --now stranger.timer",
        "systemctl disable -q --now stranger.timer; rm /etc/systemd/system/stranger.*; systemctl daemon-reload",
        "stranger.timer",
    ),
    Sabotage(STARTUP, "web2", *placed("/etc/cron.d/stranger", "* * * * * root /bin/true"), "/etc/cron.d/stranger"),
    Sabotage(STARTUP, "edge", ": > /etc/ld.so.preload", "rm /etc/ld.so.preload", "/etc/ld.so.preload"),
    Sabotage(STARTUP, "data1", *placed("/etc/profile.d/stranger.sh", "true"), "/etc/profile.d/stranger.sh"),
    Sabotage(STARTUP, "worker1", *placed("/run/systemd/system/stranger.service", "[Service]"), "/run/systemd/system/stranger"),
    Sabotage(STARTUP, "web1", *placed("/var/spool/cron/crontabs/root", "@daily true", "600"), "crontabs/root"),
    Sabotage(
        STARTUP, "web2",
        *kept("/etc/pam.d/common-auth", "echo 'auth optional pam_exec.so /bin/true' >> /etc/pam.d/common-auth"),
        "/etc/pam.d/common-auth",
    ),
    Sabotage(STARTUP, "edge", *kept("/etc/environment", "echo PYTHONPATH=/opt >> /etc/environment"), "PYTHONPATH"),
    Sabotage(STARTUP, "data1", *placed("/etc/rc.local", "true", "755"), "/etc/rc.local"),
    Sabotage(STARTUP, "data1", *placed("/etc/udev/rules.d/99-stranger.rules"), "99-stranger.rules"),
    Sabotage(STARTUP, "edge", *placed("/etc/logrotate.d/stranger"), "/etc/logrotate.d/stranger"),
    Sabotage(
        STARTUP, "worker1", "systemd-run -q --unit slipway-stranger@blue-1 sleep 900",
        "systemctl stop slipway-stranger@blue-1", "slipway-stranger@blue-1",
    ),
    Sabotage(
        STARTUP, "web1",
        *kept("/etc/systemd/system/slipway-retire.service", "echo '#' >> /etc/systemd/system/slipway-retire.service"),
        "slipway-retire.service",
    ),
    Sabotage(PRIVILEGE, "web1", "cp /bin/bash /var/tmp/.b; chmod 4755 /var/tmp/.b", "rm /var/tmp/.b", "/var/tmp/.b"),
    Sabotage(PRIVILEGE, "web2", *mode("/usr/bin/env", "4755"), "/usr/bin/env"),
    Sabotage(PRIVILEGE, "edge", "setcap cap_setuid+ep /usr/bin/env", "setcap -r /usr/bin/env", "/usr/bin/env"),
    Sabotage(
        PRIVILEGE, "data1", "cp /bin/cat /var/opt/cat; chgrp shadow /var/opt/cat; chmod 2755 /var/opt/cat", "rm /var/opt/cat", "SGID shadow"
    ),
    Sabotage(PROGRAM, "web1", *placed("/usr/local/bin/curl", "#!/bin/sh", "755"), "/usr/local/bin/curl"),
    Sabotage(PROGRAM, "web2", *kept("/usr/bin/less", "echo >> /usr/bin/less"), "/usr/bin/less"),
    Sabotage(PROGRAM, "edge", *placed("/usr/local/sbin/ip", "#!/bin/sh", "755"), "/usr/local/sbin/ip"),
    Sabotage(PORT, "web1", *listener("loose-tcp", 9999), "tcp 9999"),
    Sabotage(PORT, "web2", *listener("loose-udp", 9998, "DGRAM"), "udp 9998"),
    Sabotage(PORT, "data1", *listener("loose-six", 9997, address="::"), "tcp 9997"),
    Sabotage(PORT, "worker1", *listener("loose-loopback", 9996, address="127.0.0.1"), "tcp 127.0.0.1:9996"),
    Sabotage(ACCOUNT, "web1", "gpasswd -a www-data app-web", "gpasswd -d www-data app-web", "group app-web"),
    Sabotage(
        FIREWALL, "web1", "nft insert rule inet slipway input tcp dport 9999 accept",
        "systemctl reload slipway-firewall", "tcp dport 9999 accept",
    ),
    Sabotage(
        FIREWALL, "worker1", "nft 'add chain inet slipway input { policy accept ; }'",
        "systemctl reload slipway-firewall", "policy accept",
    ),
    Sabotage(
        FIREWALL, "edge",
        "nft 'add table ip stranger; add chain ip stranger pre { type nat hook prerouting priority -100 ; };"
        " add rule ip stranger pre tcp dport 4443 redirect to :22'",
        "nft delete table ip stranger", "ip stranger",
    ),
    Sabotage(
        FIREWALL, "data1", "nft delete table inet slipway", "systemctl reload slipway-firewall", "is not loaded"
    ),
    Sabotage(MODE, "web1", *mode("/etc/shadow", "644"), "/etc/shadow"),
    Sabotage(MODE, "web2", *mode("/etc/passwd", "646"), "/etc/passwd"),
    Sabotage(MODE, "data1", *mode("/etc/slipway/s3/root.env", "644"), "/etc/slipway/s3/root.env"),
    Sabotage(MODE, "edge", *mode("/usr/local/bin", "777"), "/usr/local/bin"),
    Sabotage(MODE, "worker1", *mode("/etc/slipway/env", "755"), "/etc/slipway/env"),
    Sabotage(MODE, "worker1", *placed("/opt/shared", "x", "666"), "/opt/shared"),
    Sabotage(MODE, "data1", "chown sync /etc/sudoers.d", "chown root /etc/sudoers.d", "/etc/sudoers.d"),
    Sabotage(
        AUTHORITY, "web1", f"cp /etc/slipway/ca.pem {PEM}; update-ca-certificates >/dev/null 2>&1",
        f"rm {PEM}; update-ca-certificates --fresh >/dev/null 2>&1", "authority",
    ),
    Sabotage(
        AUTHORITY, "data1",
        *kept("/etc/ssl/certs/ca-certificates.crt", "cat /etc/slipway/ca.pem >> /etc/ssl/certs/ca-certificates.crt"),
        "authority",
    ),
    Sabotage(SET_UP, "edge", *kept("/etc/haproxy/haproxy.cfg", "echo '# x' >> /etc/haproxy/haproxy.cfg"), "haproxy.cfg"),
    Sabotage(
        SET_UP, "data1",
        *kept("/etc/slipway/postgresql/pg_hba.conf", "echo '# x' >> /etc/slipway/postgresql/pg_hba.conf"), "pg_hba.conf",
    ),
    Sabotage(
        SET_UP, "worker1",
        *kept("/usr/local/lib/slipway/agent/smoke.py", "echo '# x' >> /usr/local/lib/slipway/agent/smoke.py"), "smoke.py",
    ),
    Sabotage(SET_UP, "web2", "systemctl disable -q slipway-restore", "systemctl enable -q slipway-restore", "slipway-restore"),
    Sabotage(SET_UP, "data1", "systemctl stop slipway-backup.timer", "systemctl start slipway-backup.timer", "slipway-backup"),
    Sabotage(SET_UP, "web1", "mv /etc/slipway/ca.pem /root/", "mv /root/ca.pem /etc/slipway/", "/etc/slipway/ca.pem"),
    Sabotage(SET_UP, "edge", *placed("/etc/haproxy/stranger.cfg"), "/etc/haproxy/stranger.cfg"),
    Sabotage(
        MOUNT, "web1", "echo x > /root/motd; mount --bind /root/motd /etc/motd", "umount /etc/motd; rm /root/motd", "/etc/motd"
    ),
    Sabotage(MOUNT, "data1", "mount -t tmpfs tmpfs /opt", "umount /opt", "/opt"),
    Sabotage(
        MOUNT, "worker1", "mkdir -p /srv/slipway/over; mount -t tmpfs tmpfs /srv/slipway/over",
        "umount /srv/slipway/over; rmdir /srv/slipway/over", "/srv/slipway/over",
    ),
    Sabotage(APP, "worker1", *drop_in("slipway-worker@.service", "NoNewPrivileges=no"), "NoNewPrivileges"),
    Sabotage(
        APP, "web1", "u=$(systemctl list-units --plain --no-legend 'slipway-web@*' | head -1 | cut -d' ' -f1);"
        " systemctl set-property --runtime $u MemoryMax=infinity",
        "rm -rf /run/systemd/system.control/slipway-web*; systemctl daemon-reload", "MemoryMax",
    ),
    Sabotage(
        APP, "web2",
        "cd /etc/systemd/system; for f in slipway-web@*.service; do cp -p $f /root/; sed -i '/^UMask/d' $f; done;"
        " systemctl daemon-reload",
        "cp -p /root/slipway-web@*.service /etc/systemd/system/; rm /root/slipway-web@*; systemctl daemon-reload", "UMask",
    ),
    Sabotage(
        APP, "worker1",
        "cd /etc/systemd/system; for f in slipway-worker@*.service; do cp -p $f /root/; sed -i 's/^TimeoutStopSec=.*/TimeoutStopSec=1/' $f; done;"
        " systemctl daemon-reload",
        "cp -p /root/slipway-worker@*.service /etc/systemd/system/; rm /root/slipway-worker@*; systemctl daemon-reload",
        "TimeoutStopSec",
    ),
    Sabotage(
        APP, "web1", "for p in $(pgrep -f 'bun run'); do echo 900 > /proc/$p/oom_score_adj; done",
        "for p in $(pgrep -f 'bun run'); do echo 0 > /proc/$p/oom_score_adj; done", "OOM score",
    ),
    Sabotage(MODE, "edge", *mode("/run/haproxy/admin.sock", "666"), "/run/haproxy/admin.sock"),
    Sabotage(SERVICE, "edge", *drop_in("haproxy.service", "ProtectSystem=no", "LimitNOFILE=1024"), "ProtectSystem"),
    Sabotage(SERVICE, "data1", *drop_in("redis-server.service", "TimeoutStopSec=1"), "TimeoutStopSec"),
    Sabotage(SERVICE, "data1", *drop_in("versitygw.service", "CapabilityBoundingSet=~"), "CapabilityBoundingSet"),
    Sabotage(
        SERVICE, "web2", "echo 'set maxconn global 77' | socat - unix-connect:/run/haproxy/admin.sock",
        "echo 'set maxconn global 8000' | socat - unix-connect:/run/haproxy/admin.sock", "maxconn is 77",
    ),
    Sabotage(
        KERNEL, "web2", "echo 0 > /root/aslr; mount --bind /root/aslr /proc/sys/kernel/randomize_va_space",
        "umount /proc/sys/kernel/randomize_va_space", "randomize_va_space",
    ),
    Sabotage(KERNEL, "edge", *placed("/etc/sysctl.d/99-stranger.conf"), "99-stranger"),
    Sabotage(JOURNAL, "edge", *placed("/etc/systemd/journald.conf.d/zz.conf", "[Journal]\nStorage=volatile"), "Storage is volatile"),
    Sabotage(JOURNAL, "web1", *placed("/run/systemd/journald.conf.d/zz.conf", "[Journal]\nSystemMaxUse=0"), "SystemMaxUse is 0"),
    Sabotage(JOURNAL, "data1", "mv /var/log/journal /var/log/j; : > /var/log/journal", "rm -rf /var/log/journal; mv /var/log/j /var/log/journal", "memory only"),
    Sabotage(PACKAGE, "web1", "apt-mark -q hold sudo", "apt-mark -q unhold sudo", "sudo: held"),
    Sabotage(PACKAGE, "web2", *placed("/etc/apt/preferences.d/pin", "Package: *"), "/etc/apt/preferences.d/pin"),
    Sabotage(PACKAGE, "edge", *placed("/etc/apt/apt.conf.d/99stranger", "// x"), "99stranger"),
    Sabotage(PACKAGE, "data1", *placed("/etc/apt/trusted.gpg.d/stranger.gpg"), "stranger.gpg"),
    Sabotage(
        DISK, "worker1",
        "mkdir -p /mnt/few; mount -t tmpfs -o size=1m,nr_inodes=9 tmpfs /mnt/few; for i in 1 2 3 4 5 6 7 8; do : > /mnt/few/$i; done",
        "umount /mnt/few; rmdir /mnt/few", "of its inodes left",
    ),
    Sabotage(FILE_SECRET, "web1", "cat > /tmp/notes", "rm /tmp/notes", "/tmp/notes", stdin="secret"),
    Sabotage(FILE_SECRET, "web2", "cat > /root/.bash_history", "rm /root/.bash_history", ".bash_history", stdin="base64"),
    Sabotage(FILE_SECRET, "edge", *kept("/etc/environment", "cat >> /etc/environment"), "/etc/environment", stdin="secret"),
    Sabotage(FILE_SECRET, "data1", "cat > /var/log/app.log", "rm /var/log/app.log", "/var/log/app.log", stdin="secret"),
    Sabotage(
        FILE_SECRET, "worker1", *mode("/etc/slipway/host.json", "644"), "every account may read it"
    ),
    Sabotage(
        FILE_SECRET, "data1", *placed("/root/.aws/credentials", "aws_access_key_id = AKIA" + "QWERTYUIOPASDFGH", "600"),
        "an AWS access key",
    ),
    Sabotage(
        FILE_SECRET, "worker1", "cat > /dev/shm/x", "rm /dev/shm/x", "/dev/shm/x", stdin="key"
    ),
    Sabotage(PRIVATE_KEY, "edge", *mode("/etc/haproxy/site.pem", "644"), "/etc/haproxy/site.pem"),
    Sabotage(PRIVATE_KEY, "data1", "ssh-keygen -q -t ed25519 -N '' -f /srv/k", "rm /srv/k /srv/k.pub", "/srv/k"),
    Sabotage(PRIVATE_KEY, "web1", "cat > /home/backup.txt; chmod 600 /home/backup.txt", "rm /home/backup.txt", "/home/backup.txt", stdin="key"),
    Sabotage(
        ENVIRONMENT, "data1",
        "{ echo '[Service]'; printf 'Environment=TOKEN='; cat; echo; echo ExecStart=/bin/sleep 901; } > /run/systemd/system/loose.service;"
        " systemctl daemon-reload; systemctl start loose",
        "systemctl stop loose; rm /run/systemd/system/loose.service; systemctl daemon-reload", "loose.service", stdin="secret",
    ),
    Sabotage(
        ENVIRONMENT, "worker1", "T=$(cat); TOKEN=$T nohup sleep 901 >/dev/null 2>&1 & echo $! > /run/loose-env",
        "kill $(cat /run/loose-env); rm /run/loose-env", "sleep", stdin="secret",
    ),
    Sabotage(
        COMMAND, "web2", "T=$(cat); nohup python3 -c 'import time; time.sleep(901)' $T >/dev/null 2>&1 & echo $! > /run/loose-line",
        "kill $(cat /run/loose-line); rm /run/loose-line", "python3", stdin="secret",
    ),
    Sabotage(
        NAMES, "web1", *kept("/etc/resolv.conf", "echo nameserver 203.0.113.5 >> /etc/resolv.conf"), "203.0.113.5"
    ),
    Sabotage(
        NAMES, "web2", *kept("/etc/hosts", "echo 203.0.113.5 s3.example.com >> /etc/hosts"), "s3.example.com"
    ),
    Sabotage(
        NAMES, "edge", *kept("/etc/nsswitch.conf", "sed -i 's/^hosts:.*/hosts: files stranger dns/' /etc/nsswitch.conf"),
        "stranger",
    ),
    Sabotage(
        ROUTES, "data1", "ip route add blackhole 198.51.100.0/24", "ip route del blackhole 198.51.100.0/24", "198.51.100.0/24"
    ),
    Sabotage(
        ROUTES, "worker1", "ip rule add from 198.51.100.7 table 99", "ip rule del from 198.51.100.7 table 99", "198.51.100.7"
    ),
    Sabotage(
        ROUTES, "web1", "ip route add 198.51.100.0/24 via $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')",
        "ip route del 198.51.100.0/24", "198.51.100.0/24",
    ),
    Sabotage(
        ROUTES, "web2", "ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
        "ip neigh del 198.51.100.9 dev eth0", "198.51.100.9",
    ),
    Sabotage(STARTUP, "worker1", *kept("/root/.bashrc", "echo 'alias sudo=true' >> /root/.bashrc"), "/root/.bashrc"),
    Sabotage(STARTUP, "data1", *placed("/var/lib/postgresql/.psqlrc"), ".psqlrc"),
    Sabotage(STARTUP, "edge", *kept("/etc/profile", "echo true >> /etc/profile"), "/etc/profile"),
    Sabotage(STARTUP, "web2", *kept("/etc/login.defs", "echo '# x' >> /etc/login.defs"), "/etc/login.defs"),
    Sabotage(STARTUP, "worker1", *placed("/etc/vim/vimrc.local"), "/etc/vim/vimrc.local"),
    Sabotage(
        PROGRAM, "data1", *placed("/usr/lib/python3/dist-packages/sitecustomize.py"), "sitecustomize.py"
    ),
    Sabotage(PROGRAM, "worker1", *placed("/usr/bin/stranger", "#!/bin/sh", "755"), "/usr/bin/stranger"),
    Sabotage(
        PROGRAM, "edge", "cp /usr/bin/sleep /var/tmp/miner; nohup /var/tmp/miner 901 >/dev/null 2>&1 & echo $! > /run/miner; sleep 0.2",
        "kill $(cat /run/miner); rm /run/miner /var/tmp/miner", "/var/tmp/miner",
    ),
    Sabotage(
        NAMES, "data1", "ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime",
        "ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime", "Tokyo",
    ),
    Sabotage(STARTUP, "edge", *placed("/var/lib/systemd/linger/nobody"), "linger/nobody"),
    Sabotage(NAMES, "worker1", "hostname stranger", "hostname worker1", "stranger"),
    Sabotage(
        PROGRAM, "web1", "ln -sfn /var/tmp/pager /etc/alternatives/pager", "ln -sfn /usr/bin/less /etc/alternatives/pager",
        "/etc/alternatives/pager",
    ),
    Sabotage(
        PACKAGE, "worker1", *placed("/etc/apt/sources.list.d/stranger.list", "deb [trusted=yes] http://203.0.113.5/ ./"),
        "stranger.list",
    ),
    Sabotage(PACKAGE, "edge", *placed("/usr/share/keyrings/stranger.gpg"), "keyrings/stranger.gpg"),
    Sabotage(
        SERVICE, "edge", f"echo 'set maxconn frontend https 7' | {ADMIN}", f"echo 'set maxconn frontend https 8000' | {ADMIN}",
        "maxconn of https",
    ),
    Sabotage(
        SERVICE, "edge",
        f"echo 'show servers state kept' | {ADMIN} | awk '$4 == \"web1\" {{ print $5 }}' > /root/web1;"
        f" echo 'set server kept/web1 addr 198.51.100.8' | {ADMIN}",
        f"echo set server kept/web1 addr $(cat /root/web1) | {ADMIN}; rm /root/web1", "kept/web1",
    ),
    Sabotage(LOG, "web2", "systemd-cat -t loose; journalctl --sync", "", "hold a secret", stdin="secret"),
    Sabotage(LOG, "web1", "systemd-cat -t loose; journalctl --sync", "", "a bearer token", stdin="bearer"),
    Sabotage(
        LOG, "edge", "echo key AKIA" + "QWERTYUIOPASDFGH | systemd-cat -t loose; journalctl --sync", "", "an AWS access key"
    ),
    Sabotage(
        LOG, "worker1", "echo postgres://app:Zk3vQ9secret@db/x | systemd-cat -t loose; journalctl --sync", "",
        "a password in a URL",
    ),
)  # fmt: skip
"""Several of every class; those that leave lines in the journal are undone by forgetting it."""
