"""Platform `hosts`: machines that someone rents, listed in `Pulumi.<stack>.yaml`, reached by ssh alone.

Nothing that matters is kept on one laptop: whoever has the repository, the age key and an ssh key can work.
"""
