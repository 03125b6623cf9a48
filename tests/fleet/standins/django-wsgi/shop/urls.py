from django.http import HttpResponse
from django.urls import path


def front(request):
    return HttpResponse("shop", content_type="text/plain")


def healthz(request):
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [path("", front), path("healthz", healthz)]
