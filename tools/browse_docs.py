"""Look at the built documentation in a real browser, on a telephone and on a wide screen.

    python tools/browse_docs.py FOLDER

Chromium loads every page, without a window, in frames of 400 and 1200 pixels. A script that fails,
a file that is missing, and a page that is wider than its frame are errors. Exits with 1 for any.
"""

import functools
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WIDTHS = (400, 1200)
NAMES = ("chromium", "chromium-headless-shell", "google-chrome")
FRAME = "__look.html"
# Same origin, so that it can see into the frames.
LOOK = """<!doctype html><title>looking</title><pre id="found"></pre><script>
const pages = %s, widths = %s, found = [];
async function look(page, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `border:0;height:800px;width:${width}px`;
  const loaded = new Promise(done => frame.onload = done);
  frame.src = page;
  document.body.append(frame);
  await loaded;
  const view = frame.contentWindow;
  view.addEventListener("error", event => found.push([page, width, event.message]));
  await new Promise(done => setTimeout(done, 50));
  for (const image of view.document.images)
    if (image.complete && image.getAttribute("src") && !image.naturalWidth)
      found.push([page, width, `no picture: ${image.getAttribute("src")}`]);
  const wide = view.document.documentElement.scrollWidth;
  if (wide > width) {
    const culprits = [...view.document.querySelectorAll("article *")]
      .filter(part => part.getBoundingClientRect().right > width + 1).slice(0, 2)
      .map(part => `${part.tagName.toLowerCase()}.${part.className}`);
    found.push([page, width, `${wide} pixels wide: ${culprits}`]);
  }
  if (!view.document.querySelector("main, article")) found.push([page, width, "no content"]);
  frame.remove();
}
(async () => {
  for (const page of pages) for (const width of widths) await look(page, width);
  document.getElementById("found").textContent = JSON.stringify(found);
  document.title = "done";
})();
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves the folder, and notes what is not there."""

    missing: set[str] = set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def send_error(self, code: int, *arguments: object) -> None:  # type: ignore[override]
        """Note what was asked for."""
        if not self.path.endswith("favicon.ico"):
            self.missing.add(self.path)
        super().send_error(code)


def browse(folder: Path, program: str) -> list[str]:
    """Return what is wrong with the pages."""
    pages = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    pages = [page for page in pages if page != FRAME and not page.startswith("_")]
    frame = folder / FRAME
    frame.write_text(LOOK % (json.dumps(pages), json.dumps(WIDTHS)), "utf-8")
    handler = functools.partial(Handler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with tempfile.TemporaryDirectory() as profile:
                done = subprocess.run(
                    [program, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                     "--window-size=1400,1000", f"--user-data-dir={profile}",
                     f"--virtual-time-budget={3000 * len(pages)}",
                     f"http://127.0.0.1:{server.server_port}/{FRAME}"],
                    capture_output=True, text=True, timeout=600, check=False,
                )  # fmt: skip
        finally:
            server.shutdown()
            frame.unlink()
    told = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    if "<title>done</title>" not in done.stdout or told is None:
        return [f"the browser has not come to the end: {done.stderr[-2000:]}"]
    print(f"{len(pages)} pages at {' and '.join(map(str, WIDTHS))} pixels")
    found = json.loads(html.unescape(told[1]))
    wrong = [f"{page} at {width}: {what}" for page, width, what in found]
    return wrong + [f"missing: {path}" for path in sorted(Handler.missing)]


def main(folder: Path) -> int:
    """Print what is wrong; return the exit status."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    wrong = browse(folder.resolve(), program)
    print("\n".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
