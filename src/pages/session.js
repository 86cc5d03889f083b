// Warns two minutes before a session ends, keeps every tab and app of one truth, and leaves the
// page when it is over (WCAG 2.2.1; design §4). The server decides: this script only asks it,
// shows what it said, and tells it what a person did. Without it a page leaves by itself, too.
//
// The page gives: <meta name="lanyard-session"> (facts, unix milliseconds, and paths), and
// <dialog id="session-warning"> with one form to stay and one to sign out.

const WARN_MS = 2 * 60_000; // before the end; half of a limit under four minutes
const REPORT_MS = 60_000; // activity is told at most this often; a quarter of a short limit
const POLL_MS = 60_000; // how often a tab in sight asks, since other apps move the end too
const POLL_WARNED_MS = 10_000; // the same while the warning is open
const ANSWER_MS = 5_000; // how long an answer may take
const SAY_AT_SECONDS = [60, 30, 10]; // when the countdown is spoken
const IS_INPUT = ["pointerdown", "keydown", "wheel", "touchstart"];

const meta = document.querySelector('meta[name="lanyard-session"]');
const given = meta ? JSON.parse(meta.content) : {};
const channel = "BroadcastChannel" in window ? new BroadcastChannel("lanyard-session") : null;

if (given.ended) {
  channel?.postMessage({ ended: given.ended }); // the other tabs of this app ask at once
} else if (given.idle_ends_at) {
  keepWatch(given);
}

function keepWatch(first) {
  const dialog = document.getElementById("session-warning");
  const countdown = document.getElementById("session-countdown");
  const announcement = document.getElementById("session-announcement");
  const timeLeft = document.getElementById("session-time-left");
  const stay = document.getElementById("session-stay");
  const bannerLeft = document.querySelector(".lanyard-banner-left");
  const title = document.title;

  let facts = first;
  let serverAhead = 0; // server's clock minus ours
  let idleLimit = first.idle_limit || 0;
  let wholeSession = 0; // longest remaining time seen, for sessions shorter than four minutes
  let askedAt = Date.now();
  let reportedAt = Date.now(); // opening the page was a person's act, and the server saw it
  let asking = null; // the question under way
  let leaving = false;
  let heardReason = null; // what another tab was told
  let finalSeen = false; // the person was told of an end that nothing moves
  let returnFocusTo = null;
  let lastSaid = Infinity;

  const now = () => Date.now() + serverAhead;
  const endsAt = () => Math.min(facts.idle_ends_at, facts.session_ends_at);
  const isFinal = () => facts.session_ends_at <= facts.idle_ends_at;
  const lead = () => Math.min(WARN_MS, (isFinal() ? wholeSession : idleLimit) / 2 || WARN_MS);

  /** Takes over newer facts; `heardAt` is our clock when the server spoke. */
  function learn(newer, heardAt) {
    if (newer.server_now < facts.server_now) return; // an older answer, late
    facts = newer;
    serverAhead = newer.server_now - heardAt;
    idleLimit = Math.max(idleLimit, facts.idle_ends_at - facts.server_now);
    wholeSession = Math.max(wholeSession, facts.session_ends_at - facts.server_now);
  }

  /** One request at a time; resolves to nothing when the network does not answer. */
  function ask(request) {
    asking ??= (async () => {
      const sentAt = Date.now();
      askedAt = sentAt;
      try {
        const answer = await request();
        if (answer.status === 401) return leave(endReason());
        if (!answer.ok) return;
        const newer = await answer.json();
        if (newer.signed_in === false) return leave(newer.reason ?? endReason());
        // Halfway between question and answer is our best guess of when the server spoke.
        const heardAt = (sentAt + Date.now()) / 2;
        learn(newer, heardAt);
        channel?.postMessage({ facts: newer, heardAt });
      } catch {
        // Offline, or the server restarts: what we know goes on to hold.
      } finally {
        asking = null;
      }
    })();
    return asking;
  }

  const send = (address, how) =>
    fetch(address, {
      ...how,
      headers: { accept: "application/json" },
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  const poll = () => ask(() => send(first.session_path));

  async function report() {
    reportedAt = Date.now();
    while (asking) await asking; // a question under way must not swallow the report
    const body = new URLSearchParams(new FormData(stay));
    await ask(() => send(stay.action, { method: "POST", body }));
  }

  const endReason = () => {
    if (now() >= facts.session_ends_at) return "expired";
    return now() >= facts.idle_ends_at ? "idle" : (heardReason ?? "elsewhere");
  };

  /** Empties the page, so that nothing stays readable, and goes to the page that says why. */
  function leave(reason) {
    if (leaving) return;
    leaving = true;
    channel?.postMessage({ ended: reason });
    document.title = "Signed out";
    document.body.replaceChildren();
    location.replace(`${first.signed_out_path}?reason=${encodeURIComponent(reason)}`);
  }

  function show() {
    returnFocusTo = document.activeElement;
    lastSaid = Infinity;
    for (const part of dialog.querySelectorAll("[data-kind]")) {
      part.hidden = part.dataset.kind !== (isFinal() ? "final" : "idle");
    }
    tell();
    const seconds = secondsLeft();
    timeLeft.textContent = seconds > 90 ? "2 minutes" : `${seconds} seconds`;
    dialog.showModal();
    document.getElementById("session-stay-button").focus();
  }

  function hide() {
    if (!dialog.open) return;
    dialog.close();
    document.title = title;
    announcement.textContent = "";
    if (returnFocusTo?.isConnected) returnFocusTo.focus();
    returnFocusTo = null;
  }

  const secondsLeft = () => Math.max(0, Math.ceil((endsAt() - now()) / 1000));

  /** Writes the countdown; says it aloud only now and then. */
  function tell() {
    const seconds = secondsLeft();
    const minutes = Math.floor(seconds / 60);
    countdown.textContent = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
    document.title = `${countdown.textContent} until sign-out · ${title}`;
    const due = SAY_AT_SECONDS.findLast((at) => seconds <= at && at < lastSaid);
    if (due !== undefined) {
      lastSaid = due;
      announcement.textContent = `You are signed out in ${seconds} seconds.`;
    }
  }

  /** The banner's minutes go on, in the words it came with; they are not spoken each time. */
  function tellBanner() {
    if (!bannerLeft) return;
    const minutes = Math.max(0, Math.ceil((facts.session_ends_at - now()) / 60_000));
    const words = `${minutes} ${minutes === 1 ? "minute" : "minutes"} left.`;
    if (bannerLeft.textContent !== words) bannerLeft.textContent = words;
  }

  async function beat() {
    if (leaving) return;
    tellBanner();
    const remaining = endsAt() - now();
    const mustWarn = remaining <= lead() && !(isFinal() && finalSeen);
    const silence = Date.now() - askedAt;
    const inSight = document.visibilityState === "visible";

    if (remaining <= 0) {
      document.body.hidden = true; // unread while we ask: another app may have moved the end
      if (silence > 1000) await poll();
      if (endsAt() - now() <= 0) leave(endReason());
      else document.body.hidden = false;
    } else if (mustWarn && !dialog.open) {
      if (silence > 1000) await poll();
      if (!leaving && endsAt() - now() <= lead()) show();
    } else if (dialog.open) {
      if (!mustWarn) return hide();
      if (silence >= POLL_WARNED_MS) poll();
      tell();
    } else if (inSight && silence >= POLL_MS) {
      poll();
    }
  }

  let beating = false;
  async function beatOnce() {
    if (beating) return;
    beating = true;
    await beat().finally(() => (beating = false));
  }

  /** The person answered the warning: an act, if the end can be moved at all. */
  async function answer(event) {
    event.preventDefault();
    if (isFinal()) {
      finalSeen = true;
    } else {
      await report();
    }
    // If the network did not answer, the warning stays open and counts on.
    if (!leaving && (finalSeen || endsAt() - now() > lead())) hide();
  }

  function noticePerson(event) {
    if (!event.isTrusted || dialog.open || leaving) return;
    if (Date.now() - reportedAt >= Math.min(REPORT_MS, idleLimit / 4)) report();
  }

  // The page was made when its first byte came, not when this script ran.
  const timing = performance.getEntriesByType("navigation")[0];
  const sinceMade = timing ? performance.now() - timing.responseStart : 0;
  learn(first, Date.now() - sinceMade);

  bannerLeft?.closest("[role=status]").setAttribute("aria-live", "off");
  stay.addEventListener("submit", answer);
  dialog.addEventListener("cancel", answer); // Escape is a person's answer too
  for (const kind of IS_INPUT) {
    addEventListener(kind, noticePerson, { capture: true, passive: true });
  }
  channel?.addEventListener("message", ({ data }) => {
    if (data.ended) {
      heardReason = data.ended;
      poll();
    } else if (data.facts) {
      askedAt = Date.now();
      learn(data.facts, data.heardAt);
      beatOnce();
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") poll().then(beatOnce);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) poll().then(beatOnce); // back button: never trust an old page
  });
  setInterval(beatOnce, 1000);
  beatOnce();
}
