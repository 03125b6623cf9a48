"""The pages of docs/ say what the program does: their commands, settings and made parts."""
