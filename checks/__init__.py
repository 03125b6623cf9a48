"""Does the live stack keep the promises of the production checklist? pytest and testinfra on live hosts.

    pytest checks/ --stack local

A check is one sentence with an id, a standard, a severity and a remedy. `exposed/` tries from outside, as a
client on the internet; `hosts/` reads every host; `data/` connects to the data services; `project/` reads the
repository and the release record. `kit/` is what they are made with.
"""
