"""What is read on every host: who may enter, what runs, what listens, what is kept secret."""
