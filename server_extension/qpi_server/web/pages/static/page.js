// Times by this browser's clock, and a home page that stays fresh while somebody looks at it.
const EVERY_MS = 10_000;

function localise(part) {
  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  for (const time of part.querySelectorAll('time')) {
    time.textContent = shown.format(new Date(time.dateTime));
  }
}

async function refresh() {
  const live = document.getElementById('live');
  if (!live || document.hidden) {
    return;
  }
  const answer = await fetch(location.href, { redirect: 'manual' });
  if (!answer.ok) {
    return;
  }
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('live');
  if (next) {
    localise(next);
    live.replaceWith(next);
  }
}

localise(document);
if (new URLSearchParams(location.search).has('token')) {
  history.replaceState(null, '', location.pathname); // Jupyter has kept it in a cookie
}
if (document.getElementById('live')) {
  setInterval(() => void refresh().catch(() => undefined), EVERY_MS);
}
