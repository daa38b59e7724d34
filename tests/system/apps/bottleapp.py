import bottle

application = bottle.Bottle()


@application.get("/")
def index():
    return "bottle " + bottle.request.environ["REQUEST_METHOD"]


@application.post("/form")
def form():
    return {"name": bottle.request.forms.getunicode("name")}


@application.get("/file/<name>")
def static(name):
    return bottle.static_file(name, root="/usr/share/common-licenses")
