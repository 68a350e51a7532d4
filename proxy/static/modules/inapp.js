/**
 * The click id of Meta's in-app browsers: where a link opened in Facebook or Instagram came without its `fbclid`, the app
 * still knows it and tells who asks.
 *
 * Asked once a page, in these two apps only, only when the address has no `fbclid`, and only when advertising is allowed;
 * where the visitor agrees later, with the next event after that. What the app says goes along with the events that are
 * recorded from then on, as long as advertising stays allowed. Nothing is stored here. Without an answer nothing happens.
 */
guard(() => {
  const { webkit, XMLHttpRequest } = window;
  const { userAgent } = navigator;
  let asked;
  let click;

  /** A message the app answers (iOS), or an address only the app knows (Android). */
  function ask() {
    asked = true;
    const { browserProperties } = (webkit || {}).messageHandlers || {};
    if (browserProperties) {
      Promise.resolve(browserProperties.postMessage('clickID')).then(keep, () => 0);
    } else if (/Android/.test(userAgent)) {
      const request = new XMLHttpRequest();
      request.open('GET', 'properties://browser/clickID');
      on(request, 'load', () => keep(request.responseText));
      request.send();
    }
  }

  function keep(told) {
    if (/^[\w-]{1,500}$/.test(told)) click = told;
  }

  function maySay() {
    const { marketing, sale } = firsthand.consent();
    if (marketing !== 'granted' || sale === 'denied') return;
    if (!asked) ask();
    return click;
  }

  if (!/\bFB(AN|AV|_IAB)\/|\bInstagram /.test(userAgent) || /[?&#]fbclid=./.test(location.href)) return;
  maySay();
  hooks.push((event) => {
    if (maySay()) event.click_ids = { fbclid: click };
  });
})();
