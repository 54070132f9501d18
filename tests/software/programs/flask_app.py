"""A Flask application with the reloader, which starts the interpreter anew."""

import os
import socket
import sys

from flask import Flask

app = Flask(__name__)


@app.route("/")
def index():
    return f"{socket.__name__} {os.getpid()} first"


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), use_reloader=True, threaded=True)
