// Pages that change while they are looked at. Without this script they say when they were made, and
// are loaded again by a link.
//
// The page gives: <span data-until="RFC 3339"> with the time that is left in words.

countDown(document.querySelectorAll("[data-until]"));

/** Counts down by our own clock, begun at what the page said was left when it came. */
function countDown(places) {
  if (places.length === 0) return;
  const meta = document.querySelector('meta[name="lanyard-session"]');
  const serverNow = meta ? JSON.parse(meta.content).server_now : Date.now();
  const timing = performance.getEntriesByType("navigation")[0];
  const sinceMade = timing ? performance.now() - timing.responseStart : 0;
  const serverAhead = serverNow - (Date.now() - sinceMade);
  const tell = () => {
    for (const place of places) {
      const left = Date.parse(place.dataset.until) - (Date.now() + serverAhead);
      const seconds = Math.max(0, Math.ceil(left / 1000));
      const minutes = Math.floor(seconds / 60);
      const clock = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
      place.textContent = seconds === 0 ? "over" : `in ${clock}`;
    }
  };
  tell();
  setInterval(tell, 1000);
}

// What a look at the log is on the record as: the entries, the members' names, a fresh token.
const MADE_BY_LOOKING = ["audit.viewed", "member.listed", "refresh.rotated"];

const live = document.getElementById("live");
if (live) follow(live);

/**
 * Shows the log's new entries as they come. It asks how many there are, which is no look at them;
 * only when there are more does it load the page again, which is one, and on the record. So a look
 * makes entries itself: while nothing else comes it looks less and less often, and says nothing.
 */
function follow(place) {
  const SOON = 3000;
  const LATE = 15_000;
  const box = place.querySelector("input");
  const news = place.querySelector('[role="status"]');
  const sizeIn = (page) => Number(page.getElementById("log-standing")?.dataset.size ?? 0);
  const rows = (page) => [...page.querySelectorAll("#entries tbody tr")];
  let seen = sizeIn(document);
  let wait = SOON;
  let timer = 0;

  const load = (address, accept) =>
    fetch(address, {
      headers: { accept },
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(5000),
    });

  async function look() {
    const answer = await load(place.dataset.news, "application/json");
    if (!answer.ok) return;
    const { size } = await answer.json();
    if (size > seen + 1) await show(); // one is our own last look
  }

  async function show() {
    const answer = await load(location.href, "text/html");
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const before = new Set(rows(document).map((row) => row.id));
    const fresh = rows(page).filter((row) => !before.has(row.id));
    for (const row of fresh) row.classList.add("news");
    seen = sizeIn(page);
    for (const id of ["log-standing", "entries", "nothing-here"]) {
      const [here, there] = [document.getElementById(id), page.getElementById(id)];
      if (here && there) here.replaceWith(there);
    }
    if (!document.getElementById("entries") && page.getElementById("entries")) location.reload();
    const others = fresh.filter((row) => !MADE_BY_LOOKING.includes(row.dataset.type));
    wait = others.length > 0 ? SOON : Math.min(wait * 2, LATE);
    if (others.length > 0) news.textContent = `${others.length} new`;
  }

  async function beat() {
    try {
      if (document.visibilityState === "visible") await look();
    } catch {
      // Offline, or the server restarts: asked again below.
    }
    if (box.checked) timer = setTimeout(beat, wait);
  }

  place.hidden = false;
  box.addEventListener("change", () => {
    clearTimeout(timer);
    wait = SOON;
    if (box.checked) beat();
  });
}
