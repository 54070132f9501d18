"""A Django project in a file, with the server of its development and its reloader."""

import os
import socket
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="tests", ALLOWED_HOSTS=["*"])


def index(request):
    return HttpResponse(f"{socket.__name__} {os.getpid()} first")


urlpatterns = [path("", index)]

if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], "runserver", f"127.0.0.1:{sys.argv[1]}"])
