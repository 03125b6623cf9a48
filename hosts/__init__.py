"""hosts: what makes a bare Debian machine a host of its role? pyinfra deploys, a file for each part.

`deploy.py` says which deploys make which role; `set_up.py` runs them on a whole fleet, `kit/` on a host from
within. `agent/` is the program that runs on every host.
"""
