/**
 * Events nobody had to write code for: links that lead away, files fetched, forms sent, how far a page was read.
 *
 * Nothing is held up: no preventDefault, no waiting. Of links the address goes without its query, of forms their name and
 * id; never what somebody typed.
 *
 * @param {{outbound: boolean, downloads: boolean, forms: boolean, scroll: boolean, extensions: string[]}} settings
 */
guard((settings) => {
  const { ceil } = Math;
  const DEPTHS = [25, 50, 75, 90];

  const track = (name, custom) => firsthand.track(name, undefined, { custom });

  /** Also with a modifier key, also with the middle button: the link is followed, in another tab. */
  function clicked(event) {
    if (event.button > 1) return;
    const link = event.composedPath().find((node) => node.href && node.host);
    if (!link || !/^http/.test(link.protocol)) return;
    const file = link.pathname.split('/').pop();
    const extension = file.split('.').pop().toLowerCase();
    const link_url = link.origin + link.pathname;
    if (file !== extension && settings.extensions.includes(extension)) {
      if (settings.downloads) track('file_download', { link_url, file_name: file, file_extension: extension });
    } else if (settings.outbound && link.host !== location.host) {
      track('outbound_click', { link_url, link_domain: link.hostname });
    }
  }

  function sent(event) {
    const form = event.target;
    // Not form.id: a field of that name would be found there.
    track('form_submit', { form_id: form.getAttribute('id'), form_name: form.getAttribute('name') });
  }

  let path;
  let reached;
  let measuring;

  function measure() {
    measuring = false;
    if (path !== location.pathname) reached = 0;
    path = location.pathname;
    const percent = ceil((100 * (scrollY + innerHeight)) / document.documentElement.scrollHeight);
    for (; percent >= DEPTHS[reached]; reached++) track('scroll', { percent_scrolled: DEPTHS[reached] });
  }

  for (const type of ['click', 'auxclick']) on(window, type, clicked);
  if (settings.forms) on(window, 'submit', sent);
  if (settings.scroll) {
    on(window, 'scroll', () => {
      if (!measuring) later(measure, 200);
      measuring = true;
    });
  }
})(__SETTINGS__);
