"""The addresses of the shop: its staff works in Django's admin."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("", admin.site.urls)]
