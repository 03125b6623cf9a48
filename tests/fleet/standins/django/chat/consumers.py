from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from chat.models import Message

ROOM = "room"


class Room(AsyncJsonWebsocketConsumer):
    """Everyone who is here hears what is said, on every host."""

    async def connect(self):
        await self.channel_layer.group_add(ROOM, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(ROOM, self.channel_name)

    async def receive_json(self, content, **kwargs):
        if not isinstance(content, dict):
            return await self.send_json({"error": "not an object"})
        if "ping" in content:
            return await self.send_json({"pong": content["ping"]})
        text = str(content.get("text", ""))[:500]
        await database_sync_to_async(Message.objects.create)(text=text)
        await self.channel_layer.group_send(ROOM, {"type": "said", "text": text})

    async def said(self, event):
        await self.send_json({"text": event["text"]})

    @classmethod
    async def decode_json(cls, text_data):
        try:
            return await super().decode_json(text_data)
        except ValueError:
            return None
