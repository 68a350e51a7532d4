/**
 * Defaults by region: the script is the same for every visitor, so it starts from the strictest default and asks the
 * collector which one holds for this visitor. Part of the script where `consent.regions` (or `consent.dnt`) is set.
 *
 * Asked once a page, without cookies; until the answer, and without one, nothing is sent or stored that the strictest
 * default does not allow. What the visitor has decided themselves stands, whichever comes first.
 *
 * @param {{path: string}} settings where to ask, relative to the URL of the script
 */
guard((settings) => {
  const { fetch, URL } = window;

  async function ask() {
    const answer = await fetch(new URL(settings.path, base), { credentials: 'omit' });
    const told = (await answer.json()).default;
    told.source = 'default';
    firsthand.consent(told);
  }

  // A blocked request is a warning and no more: the strictest default stays.
  ask().catch(
    guard((error) => {
      throw error;
    })
  );
})(__SETTINGS__);
