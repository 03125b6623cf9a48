"""What Debian's packages and providers' images put on a host by themselves, and the most it may allow."""

from __future__ import annotations

import re

MODES = {
    "/": "755", "/etc": "755", "/usr": "755", "/usr/bin": "755", "/usr/sbin": "755", "/usr/local/bin": "2775",
    "/usr/local/sbin": "2775", "/etc/passwd": "644", "/etc/group": "644", "/etc/shadow": "640",
    "/etc/gshadow": "640", "/etc/shadow-": "640", "/etc/gshadow-": "640", "/etc/sudoers": "440",
    "/etc/sudoers.d": "755", "/etc/ssh": "755", "/etc/ssh/sshd_config": "644",
    "/etc/ssh/sshd_config.d": "755",
    "/etc/ssh/ssh_host_ed25519_key": "600", "/etc/ssh/ssh_host_rsa_key": "600",
    "/etc/ssh/ssh_host_ecdsa_key": "600", "/etc/crontab": "644", "/etc/cron.d": "755", "/etc/pam.d": "755",
    "/etc/systemd/system": "755", "/etc/profile": "644", "/etc/environment": "644", "/root": "700",
    "/root/.ssh": "700", "/root/.ssh/authorized_keys": "644", "/var/lib/slipway/state.json": "600",
    "/var/backups/slipway": "750", "/var/log/journal": "2755", "/run/haproxy/admin.sock": "660",
}  # fmt: skip
"""The most that a path of the system may allow; its owner is root. Paths that are not there do not count."""
GENERATED = re.compile(
    r"/etc/pam\.d/common-(account|auth|password|session|session-noninteractive)|/etc/security/opasswd"
    r"|/etc/apt/apt\.conf\.d/(01autoremove\S*|02autoremove-postgresql|20auto-upgrades|50unattended-upgrades)"
    r"|/etc/apt/sources\.list\.d/(debian|ubuntu)\.sources|/usr/local/man|/etc/vconsole\.conf|/etc/haproxy/errors/\d+\.http"
    r"|/usr/local/lib/python3[\d.]*/dist-packages|/etc/systemd/system/\S+\.(wants|requires)/\S+"
    r"|/etc/(environment|fstab|hostname|hosts|hosts\.(allow|deny)|inputrc|ld\.so\.cache|locale\.(conf|gen)|localtime"
    r"|machine-id|motd|mtab|networks|nsswitch\.conf|profile|resolv\.conf|shells|timezone|ca-certificates\.conf"
    r"|(passwd|group|shadow|gshadow|subuid|subgid)-?|\.pwd\.lock|\.updated)|/etc/default/(locale|keyboard)"
    r"|/etc/python3/debian_config|/etc/ssh/(sshd_config|ssh_host_[a-z0-9]+_key(\.pub)?)"
    r"|/etc/ssl/certs/\S+|/etc/ssl/private/ssl-cert-snakeoil\.key|/etc/postgresql-common/(root\.crt|createcluster\.conf)"
    r"|/etc/postgresql/\d+/main/(conf\.d/slipway(-memory)?\.conf|environment|pg_ctl\.conf|pg_hba\.conf"
    r"|pg_ident\.conf|postgresql\.conf|start\.conf)|/usr/share/ca-certificates/\S+\.crt"
    r"|/usr/lib/(locale/\S+|modules/\S+|udev/hwdb\.bin|\S+\.cache)"
)
"""What scripts of Debian's packages make, which dpkg does not list; what is in it is examined separately."""
PROVIDED = re.compile(
    r"/etc/(apt/apt\.conf\.d/\S*cloud-init\S*|ssh/sshd_config\.d/50-cloud-init\.conf|profile\.d/Z99-cloud\S*"
    r"|udev/rules\.d/70-persistent-net\.rules|sudoers\.d/[\w-]+|systemd/network/\S+"
    r"|apt/sources\.list\.d/\S+|apt/apt\.conf\.d/(00|70|90|99)[a-z-]*(cdrom|debconf|needrestart|proxy))"
    r"|/run/systemd/system/netplan-\S+"
)
"""What providers' images bring. Rules for sudo and sshd's settings in them are examined all the same."""
PROVIDED_SETTINGS = re.compile(
    r"/etc/(cloud|chrony|ntp|ntpsec|default|network|netplan|initramfs-tools|multipath|lvm|systemd/(resolved|networkd"
    r"|timesyncd|journald)\.conf|dhcp|logrotate\.conf|locale\.gen|update-motd\.d)"
)
"""Settings of packages that providers' images change."""
PRIVILEGED = re.compile(
    r"/(usr/)?s?bin/(su|sudo|sudoedit|mount|umount|passwd|chsh|chfn|gpasswd|newgrp|chage|expiry|unix_chkpwd|pkexec|ssh-agent"
    r"|fusermount3?|crontab|ping|wall|write(\.ul)?|bsd-write|newuidmap|newgidmap|mtr-packet|at|plocate|dotlockfile)"
    r"|/usr/lib/(openssh/ssh-keysign|dbus-1\.0/dbus-daemon-launch-helper|polkit-1/polkit-agent-helper-1|snapd/snap-confine"
    r"|x86_64-linux-gnu/utempter/utempter|\S+/gstreamer-1\.0/gst-ptp-helper)|/usr/libexec/polkit-agent-helper-1"
)
"""Debian's own programs with a privilege; each must also belong to a package."""
PROGRAMS_OF_PACKAGES = re.compile(
    r"/usr/(s?bin|games|share)/|/usr/lib/(python3|systemd|tmpfiles\.d|sysusers\.d|security)|/etc/alternatives/"
)
"""Where nothing but packages puts programs, on any machine."""
ANYONES = re.compile(r"/(tmp|var/tmp|dev/shm|run|home|root)/")
"""Where accounts may write: no program of a service runs from there."""
