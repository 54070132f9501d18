"""Configuration of Sphinx: ``sphinx-build -W -b html docs docs/_build/html``."""

import sys
from pathlib import Path

import oxisock

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "oxisock"
author = "the oxisock contributors"
release = version = oxisock.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_parser",
    "from_stubs",
    "constants",
    "examples",
]
exclude_patterns = ["_build", "_extensions", "reference/_examples.md"]

html_theme = "furo"
html_title = f"oxisock {release}"

# Every role leads somewhere, but for the names of types that the pages explain in words.
nitpicky = True
nitpick_ignore = [
    ("py:class", name)
    for name in (
        "AbstractEventLoop",
        "Address",
        "AncillaryItem",
        "Connected",
        "Credentials",
        "DatagramProtocol",
        "IOBase",
        "Installation",
        "P",
        "ReadableBuffer",
        "SSLObject",
        "SocketStatistics",
        "Statistics",
        "TCPInfo",
        "WriteableBuffer",
        "socket.gaierror",
        "ssl.SSLContext",
    )
] + [("py:exc", name) for name in ("ssl.SSLCertVerificationError", "ssl.SSLError")]
# Code hosts build the anchors of issues in the browser.
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
