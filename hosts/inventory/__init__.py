"""What belongs on a host by its set-up, what is there, and how the two differ?"""
