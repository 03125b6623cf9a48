from django.urls import path

from chat import views

urlpatterns = [
    path("", views.room),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("messages", views.messages),
]
