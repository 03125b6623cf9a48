"""Proof on live hosts: every promise of the production checklist, tried from outside and read on the hosts.

    pytest checks/ --stack local

A check is one sentence with an id, a standard, a severity and a remedy. `kit/` is what checks are made with;
`exposed/` tries from outside, `hosts/` reads on every host, `data/` asks the services that keep things.
"""
