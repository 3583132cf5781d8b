// The script of the page: puts the parts that come by server-sent events in their places. Without it the page is the same,
// only still. It is sent as it stands here.

export const script = `'use strict';
(() => {
  const element = (id) => document.getElementById(id);
  const live = element('live');
  const announce = element('announce');
  let spoken = element('headline').textContent;

  const keepFocus = (place, replace) => {
    const active = document.activeElement;
    const id = place.contains(active) ? active.id : '';
    const open = [...place.querySelectorAll('details[open][id]')].map((one) => one.id);
    replace();
    for (const one of open) element(one)?.setAttribute('open', '');
    if (id !== '') element(id)?.focus({ preventScroll: true });
  };

  const show = ({ id, markup }) => {
    const place = element(id);
    if (place === null) return;
    keepFocus(place, () => {
      place.innerHTML = markup;
    });
    if (id !== 'headline' || place.textContent === spoken) return;
    spoken = place.textContent;
    announce.textContent = spoken;
  };

  const tell = (text) => {
    live.textContent = text;
    live.hidden = text === '';
    document.body.classList.toggle('stale', text !== '');
  };

  const old = 'No connection to the daemon: what is shown here may be old.';
  let source;
  let silence;
  // A host that has lost its power closes no connection; the daemon says something every five seconds.
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      tell(old);
      source.close();
      listen();
    }, 15000);
  };
  const listen = () => {
    source = new EventSource('/events');
    heard();
    source.addEventListener('open', () => {
      tell('');
      heard();
    });
    source.addEventListener('part', (event) => {
      heard();
      show(JSON.parse(event.data));
    });
    source.addEventListener('beat', heard);
    source.addEventListener('error', () => {
      tell(old);
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      clearTimeout(silence);
      setTimeout(listen, 5000);
    });
  };
  addEventListener('pagehide', () => {
    source.close();
    clearTimeout(silence);
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) listen();
  });
  listen();
})();
`;

export const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d5c4d"/><path d="M4 17h6l3-8 5 15 3-7h7" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>';
