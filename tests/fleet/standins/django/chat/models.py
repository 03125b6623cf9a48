from django.db import models


class Message(models.Model):
    text = models.CharField(max_length=500)
    at = models.DateTimeField(auto_now_add=True)
