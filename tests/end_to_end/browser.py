"""A real browser at the console: log in as a person, open pages, and know of everything that went wrong in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.programs import program

CONSOLE = "/turno/"
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
_WINDOW = {"width": 1400, "height": 900}
_LOCAL = {"data", "blob", "about"}
_SECONDS = 60
_TELL_VIOLATIONS = "document.addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium."""
    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


class Visitor:
    """A person with a browser of their own. `page` is Playwright's; `complaints` is what went wrong in it.

    Complaints are errors in the browser's console, violations of the content security policy, scripts that threw, answers
    of 400 and more, and requests that would have left the machine (they are refused).
    """

    def __init__(self, browser: Browser, url: str, screenshots: Path) -> None:
        self._url = url
        self._screenshots = screenshots
        self._context: BrowserContext = browser.new_context(base_url=url, viewport=_WINDOW)  # type: ignore[arg-type]
        self._context.set_default_timeout(_SECONDS * 1000)
        self._context.add_init_script(_TELL_VIOLATIONS)
        self.complaints: list[str] = []
        self.clicks = 0
        self.page: Page = self._context.new_page()
        self._context.route(lambda address: not self._is_local(address), lambda route: route.abort())
        self._context.on("console", self._on_console)
        self._context.on("weberror", lambda error: self.complaints.append(f"script: {error.error}"))
        self._context.on("request", self._on_request)
        self._context.on("response", lambda answer: self._on_response(answer.status, answer.url))

    def log_in(self, user: str, password: str) -> None:
        """Log in to Airflow with its own form; what its pages complain of is not ours."""
        self.page.goto("/")
        self.page.fill("input[name=username]", user)
        self.page.fill("input[name=password]", password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda address: "/auth/" not in address)
        self.complaints.clear()

    def open(self, path: str = "") -> Page:
        """Open a page of the console: `files/list`, or nothing for Today."""
        self.page.goto(CONSOLE + path)
        return self.page

    def click(self, selector: str) -> None:
        """A click of the person's, which is counted in `clicks`; not before the page's scripts are there to hear it."""
        self.clicks += 1
        self.page.wait_for_load_state()
        self.page.click(selector)

    def press(self) -> None:
        """Press the button of the form that a click has opened, and follow to the page of the run that it starts."""
        self.click("#actionSubmit")
        self.page.wait_for_url("**/turno/run?*")

    def await_run(self, seconds: float) -> None:
        """Wait until the run on the page has ended: it must end well."""
        over = self.page.wait_for_selector(
            "[role=status]:is([data-state=success], [data-state=failed])", timeout=seconds * 1000
        )
        assert over is not None
        assert over.get_attribute("data-state") == "success", self.page.inner_text(".page-body")

    def menu(self) -> list[str]:
        """The addresses of the console's pages, as its menu has them: from `CONSOLE` on."""
        links = self.open().locator("aside a[href]").evaluate_all("found => found.map(link => link.pathname)")
        return list(dict.fromkeys(link.removeprefix(CONSOLE) for link in links if link.startswith(CONSOLE)))

    def told(self) -> list[str]:
        """The complaints since the last call."""
        found = [*self.complaints]
        self.complaints.clear()
        return found

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the whole page; returns its file."""
        file = self._screenshots / f"{name}.png"
        self.page.screenshot(path=file, full_page=True)
        return file

    def close(self) -> None:
        """Close the browser's windows."""
        self._context.close()

    def _is_local(self, address: str) -> bool:
        parts, home = urlsplit(address), urlsplit(self._url)
        return parts.scheme in _LOCAL or parts.netloc == home.netloc

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not self._is_local(request.url):
            self.complaints.append(f"left the machine: {request.url}")

    def _on_response(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"answered {status}: {url}")
