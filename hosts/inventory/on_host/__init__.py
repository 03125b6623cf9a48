"""The program that looks at a host, sent to it over ssh: what is there?"""
