"""A real browser on the built site, which a server on this machine hands out; what went wrong."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from built import HTML, PATIENCE

NAMES = ["chromium", "chromium-browser", "google-chrome"]
# Whatever a page asks for by name, it is not found: nothing leaves this machine.
LAUNCH = ["--disable-gpu", "--disable-quic", "--disable-background-networking",
          "--disable-component-update", "--disable-sync",
          "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
VIOLATION = """document.addEventListener("securitypolicyviolation",
    event => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""
MISSING = "no browser, its tests are skipped: install chromium (Debian: apt-get install chromium)"


def find_browser():
    """Return the path of the first browser found, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def pytest_terminal_summary(terminalreporter):
    """Say once, at the end, why tests were skipped."""
    if find_browser() is None:
        terminalreporter.write_line(MISSING)


@pytest.fixture(scope="session")
def browser():
    """Start the browser that this machine has; skip where there is none."""
    found = find_browser()
    if found is None:
        pytest.skip(MISSING)
    playwright = pytest.importorskip("playwright.sync_api",
                                     reason="no playwright: make .venv/.browser")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=LAUNCH)
        yield started
        started.close()


class Quiet(SimpleHTTPRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="session")
def site():
    """Serve the built site on a free port of this machine; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def visit(browser, site):
    """Open a page of the site with `visit(name)`; the test fails for what went wrong in it."""
    contexts, problems = [], []

    def open_page(name, width=1280, theme="light", root=site):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(VIOLATION)
        listen(page, root, problems)
        page.goto(root + name)
        page.evaluate("() => window.MathJax?.startup.promise.then(() => true)")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def listen(page, root, problems):
    """Collect errors of a page, answers that say no, and requests to anywhere else."""

    def on_console(message):
        if message.type == "error":
            problems.append(message.text)

    def on_request(request):
        if not request.url.startswith((root, "data:", "blob:" + root)):
            problems.append(f"asks for {request.url}")

    def on_failure(request):
        # The browser lets go of a film whose beginning it knows, and of what a page left behind.
        if request.failure != "net::ERR_ABORTED":
            problems.append(f"did not get {request.url}: {request.failure}")

    def on_response(response):
        if response.status >= 400:
            problems.append(f"{response.status} for {response.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", on_request)
    page.on("requestfailed", on_failure)
    page.on("response", on_response)
