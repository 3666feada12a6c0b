"""A small program of another language, to be run under opentelemetry-instrument.

It knows nothing of where its signals go: that is what the environment says.
"""

import logging
import sys

import requests
from flask import Flask
from opentelemetry import metrics

app = Flask(__name__)
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
greetings = metrics.get_meter("shop").create_counter("greetings", description="Greetings that were said.")
port = int(sys.argv[1])


@app.get("/greet/<name>")
def greet(name):
    greetings.add(1, {"name": name})
    log.info("greeting %s", name)
    return requests.get(f"http://127.0.0.1:{port}/word", timeout=5).text + f" {name}\n"


@app.get("/word")
def word():
    return "Hello"


@app.get("/healthz")
def healthz():
    return "ok"


app.run(host="127.0.0.1", port=port, threaded=True)
