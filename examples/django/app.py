"""A Django project in one file; brood serves its static files itself (brood.json)."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "for the example only"),
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
)


def index(request):
    return HttpResponse(f"Hello from Django, process {os.getpid()}.\n", content_type="text/plain")


@csrf_exempt
def form(request):
    return JsonResponse({"form": request.POST.dict(), "files": {name: f.size for name, f in request.FILES.items()}})


urlpatterns = [path("", index), path("form", form)]
application = get_wsgi_application()
