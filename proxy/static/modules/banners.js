/**
 * What the adapters for single banners (../banners/*.js) share: when to look, and what a banner's categories mean here.
 *
 * Only decisions of the visitor count, never what a banner assumes before there is one. Each adapter looks once at the
 * start (the banner may have been quicker than we are, and returning visitors are not asked again) and at each event of
 * its banner. One refused category refuses the purpose it belongs to; personalised ads follow marketing.
 *
 * `var`, so that the files after this one see it.
 *
 * @param {{marketing: string[], analytics: string[]}} settings what the site's banner calls its categories
 */
var banner = guard((settings) => {
  const { warn } = console;

  /** @returns {boolean | undefined} */
  function verdict(states, names) {
    const known = names.filter((name) => typeof states[name] === 'boolean');
    return known.length ? known.every((name) => states[name]) : undefined;
  }

  /**
   * @param {string} source the banner's name
   * @param {string[]} events of window or document
   * @param {function(Event): (object | undefined | Promise)} read the state of each category, and `sale` where there is
   *     such a thing; nothing while the visitor has not decided
   * @returns {function} to look again
   */
  return (source, events, read) => {
    let told;
    let failed;

    async function look(event) {
      try {
        const states = await read(event || {});
        if (!states) return;
        const marketing = verdict(states, settings.marketing);
        const analytics = verdict(states, settings.analytics);
        const { sale } = states;
        const found = '' + [marketing, analytics, sale];
        // Looked at often, told when it changes: a decision keeps the time at which it was first seen.
        if (found === told || found === ',,') return;
        told = found;
        firsthand.consent({ marketing, analytics, personalization: marketing, sale, source });
      } catch (error) {
        if (!failed) warn(source, error);
        failed = true;
      }
    }

    // In the capturing phase the window hears the events of the document too.
    for (const type of events) on(window, type, look);
    look();
    return look;
  };
})(__SETTINGS__);
