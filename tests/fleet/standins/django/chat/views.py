from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from chat.models import Message

PAGE = """<!doctype html><html lang="en"><title>chat</title><h1>chat</h1>"""


@require_safe
def room(request):
    return HttpResponse(PAGE)


@require_safe
def healthz(request):
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def readyz(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def messages(request):
    return JsonResponse({"messages": list(Message.objects.order_by("-id").values("id", "text")[:20])})
