import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(DEBUG=False, SECRET_KEY="tests only", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
                   MIDDLEWARE=["django.middleware.common.CommonMiddleware"])


def index(request):
    return HttpResponse(f"django {django.get_version()} {request.get_host()}")


@csrf_exempt
def form(request):
    return JsonResponse({"form": request.POST.dict(), "files": {k: f.size for k, f in request.FILES.items()}})


def stream(request):
    return StreamingHttpResponse((f"{i}\n" for i in range(1000)), content_type="text/plain")


urlpatterns = [path("", index), path("form", form), path("stream", stream)]
application = get_wsgi_application()
