/**
 * Defaults by region: the script is the same for every visitor, so it starts from the strictest default and asks the
 * collector which one holds for this visitor. Part of the script where `consent.regions` (or `consent.dnt`) is set.
 *
 * Asked once a page, without cookies; until the answer, and without one, nothing is sent or stored that the strictest
 * default does not allow. What the visitor has decided themselves stands, whichever comes first.
 *
 * @param {{path: string}} settings where to ask, relative to the URL of the script
 */
(function (firsthand, settings) {
  'use strict';

  const { fetch, location, document, URL } = window;
  const { warn } = console;
  const script = document.currentScript || {};

  async function ask() {
    const answer = await fetch(new URL(settings.path, script.src || location.href), { credentials: 'omit' });
    const told = (await answer.json()).default;
    told.source = 'default';
    firsthand.consent(told);
  }

  // A blocked request is no news: the strictest default stays.
  ask().catch((error) => warn('region', error));
})(window.__GLOBAL__, __SETTINGS__);
