// The person and her browser, as far as a client notices them: cookies, redirects, plain forms.
// It is no test of the pages (tests/browser is); it stands in for whoever signs in to a client.
import assert from "node:assert/strict";

const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/** `Secure` cookies too: localhost counts as a secure place. Ports of a host share them. */
class Jar {
  #cookies = new Map(); // by name

  keep(answer) {
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf("="));
      if (attributes.some((a) => a.toLowerCase() === "max-age=0")) this.#cookies.delete(name);
      else this.#cookies.set(name, pair.slice(name.length + 1));
    }
  }

  toString() {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }
}

/** The same browser at the app's own host. `serve` answers a `Request`, as `fetch` does. */
export class Visitor {
  #cookies = new Jar();

  constructor(serve = (request) => fetch(request)) {
    this.serve = serve;
  }

  /** Asks for one page; a redirect is given back and not followed. */
  async open(address, form) {
    const request = new Request(address, {
      method: form ? "POST" : "GET",
      headers: { "user-agent": AGENT, cookie: `${this.#cookies}` },
      body: form && new URLSearchParams(form),
      redirect: "manual",
    });
    const answer = await this.serve(request);
    this.#cookies.keep(answer);
    return answer;
  }
}

export class Person {
  #cookies = new Jar();
  #issuer;

  constructor(issuer, login, password) {
    this.#issuer = new URL(issuer).origin;
    this.answers = {
      "identifier-form": { login },
      "password-form": { password },
    };
  }

  /** Opens an address and answers each form she is shown. Gives where she ends outside the issuer. */
  async goThrough(address) {
    const shown = [];
    let page = await this.#follow("GET", new URL(address));
    while (page.url.origin === this.#issuer) {
      const form = this.#knownForm(page);
      shown.push(form.id);
      assert(shown.length < 6, `round and round: ${shown}`);
      page = await this.#follow("POST", form.action, form.fields);
    }
    return { url: page.url, shown };
  }

  /** Follows redirects until a page, or an address that is not the issuer's. */
  async #follow(method, url, fields) {
    for (let hops = 0; hops < 10; hops += 1) {
      if (url.origin !== this.#issuer) return { url };
      const answer = await this.#send(method, url, fields);
      const to = answer.headers.get("location");
      if (answer.status === 200) return { url, html: await answer.text() };
      assert(to && answer.status < 400, `${answer.status} at ${url}\n${await answer.text()}`);
      [method, url, fields] = ["GET", new URL(to, url), undefined];
    }
    assert.fail(`more than ten redirects, the last to ${url}`);
  }

  async #send(method, url, fields) {
    const cookie = `${this.#cookies}`;
    const headers = { "user-agent": AGENT, "sec-fetch-site": "same-origin", cookie };
    if (fields) headers.origin = "null"; // from a page with `Referrer-Policy: no-referrer`
    const body = fields && new URLSearchParams(fields);
    const answer = await fetch(url, { method, headers, body, redirect: "manual" });
    this.#cookies.keep(answer);
    return answer;
  }

  #knownForm({ url, html }) {
    for (const [tag, id] of html.matchAll(/<form [^>]*\bid="([^"]+)"[^>]*>/g)) {
      const answers = this.answers[id];
      if (!answers) continue;
      const form = html.slice(html.indexOf(tag)).split("</form>")[0];
      const hidden = [...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)];
      const fields = Object.fromEntries(hidden.map(([, name, value]) => [name, value]));
      const action = new URL(/\baction="([^"]+)"/.exec(tag)[1], url);
      return { id, action, fields: { ...fields, ...answers } };
    }
    assert.fail(`a page that nobody expected at ${url}\n${html}`);
  }
}
