"""Small apps that declare as little as an app may, each in a folder of its own."""
