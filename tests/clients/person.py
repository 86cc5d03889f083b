"""The person and her browser, as far as a client notices them: cookies, redirects, plain forms."""

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


NOBODY = "http://127.0.0.1:49152"  # where nobody listens: a redirect there is where she ends


class Page:
    def __init__(self, answer):
        self.url, self.status, self.headers = answer.url, answer.status, answer.headers
        self.text = answer.read().decode()
        to = answer.headers.get("Location", "")
        if to.startswith(NOBODY):
            self.url = to

    def json(self):
        return json.loads(self.text)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, answer, code, reason, headers, to):
        if to.startswith(NOBODY):
            return None
        return super().redirect_request(request, answer, code, reason, headers, to)


class Person:
    """`Secure` cookies are kept over plain HTTP too: localhost counts as a secure place."""

    def __init__(self, issuer: str, login: str, password: str):
        self.issuer = issuer
        self.answers = {"identifier-form": {"login": login}, "password-form": {"password": password}}
        policy = http.cookiejar.DefaultCookiePolicy(secure_protocols=("https", "http"))
        cookies = http.cookiejar.CookieJar(policy)
        self.browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(cookies),
            _Redirects(),
        )

    def get(self, address: str) -> Page:
        return self._send(urllib.request.Request(address))

    def go_through(self, address: str) -> tuple[Page, list[str]]:
        """Opens an address and answers each form; gives the page where she ends, and the forms."""
        shown: list[str] = []
        page = self.get(address)
        while page.url.startswith(self.issuer + "/"):
            name, action, fields = self._known_form(page)
            shown.append(name)
            assert len(shown) < 6, f"round and round: {shown}"
            # What browsers send from a page with `Referrer-Policy: no-referrer`.
            headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
            body = urllib.parse.urlencode(fields).encode()
            action = urllib.parse.urljoin(page.url, action)
            page = self._send(urllib.request.Request(action, body, headers))
        return page, shown

    def _send(self, request: urllib.request.Request) -> Page:
        request.add_header("User-Agent", AGENT)
        request.add_header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        try:
            return Page(self.browser.open(request))
        except urllib.error.HTTPError as refused:
            return Page(refused)

    def _known_form(self, page: Page) -> tuple[str, str, dict[str, str]]:
        for tag, name in re.findall(r'(<form [^>]*\bid="([^"]+)"[^>]*>)', page.text):
            if name not in self.answers:
                continue
            form = page.text.split(tag)[1].split("</form>")[0]
            hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
            action = re.search(r'\baction="([^"]+)"', tag).group(1)
            return name, action, {**dict(hidden), **self.answers[name]}
        raise AssertionError(f"a page that nobody expected at {page.url}\n{page.text}")
