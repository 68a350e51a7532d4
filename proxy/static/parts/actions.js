/**
 * What the bridges share: one action that several tags report is one event with one id.
 *
 * A purchase is told to the dataLayer, to fbq and perhaps to us by hand. Every event of the page passes here before it is
 * recorded (`hooks`). The first report of an action makes its id: the one it was given, for a purchase the order's, else a
 * fresh one. A report of the same action by another reporter gets that id and is not recorded a second time.
 *
 * The same action: the same event, under any of its names, reported by somebody who has not reported it yet, within ten
 * seconds, and neither two different orders nor two different ids that were given. Reports meet in the order they come.
 *
 * Pixels often know nothing of the order. Their purchase waits a second for a report that does, and that one is recorded.
 *
 * Options of `track` that only bridges use: `from`, who reports ('page' when not said); `silent`, want the id, record nothing.
 *
 * @typedef {{name: string, id: string, given: boolean, order?: string, from: string[], time: number, told?: boolean}} Action
 * @param {{names: Object<string, string>}} settings the names tags have for one thing, without separators
 */
((settings) => {
  const TOGETHER_MS = 1e4;
  const WAIT_MS = 1000;
  const { now } = Date;
  const { assign } = Object;
  const { addEventListener } = window;
  const VIEW = 'pageview';

  /** @type {Action[]} */
  let actions = [];
  /** Arguments of `track`. @type {Array[]} */
  let waiting = [];

  function same(action, report) {
    if (action.name !== report.name) return false;
    if (action.id === report.id || (report.order && action.order === report.order)) return true;
    const apart = (action.given && report.id) || (action.order && report.order);
    return !apart && !action.from.includes(report.from);
  }

  function release() {
    try {
      for (const args of waiting.splice(0)) firsthand.track(...args);
    } catch (error) {
      // Natives that the page broke; `guard` comes with the core, after this.
    }
  }
  // Before the core's own listeners, which send what is there.
  addEventListener('pagehide', release, true);
  addEventListener('visibilitychange', release, true);

  hooks.push((event, options) => {
    const data = event.data || {};
    const from = options.from || 'page';
    let name = event.name.toLowerCase().replace(/[ _-]/g, '');
    name = settings.names[name] || name;
    const order = name === 'purchase' && '' + (data.order_id || data.transaction_id || '');
    const report = { name, from, order, id: options.id && event.id };

    // A view of ours lasts until the next: tags may report it when consent has come, much later.
    const lasts = (action) => action.name === VIEW && action.from.includes('page');
    actions = actions.filter((action) => lasts(action) || now() - action.time < TOGETHER_MS);
    const views = actions.filter((action) => action.name === VIEW && action.told);
    let action = actions.find((candidate) => same(candidate, report));
    if (!action) {
      if (name === VIEW && from === 'page') actions = actions.filter((older) => older.name !== VIEW);
      action = { name, id: report.id || order || event.id, from: [], time: now() };
      actions.push(action);
    }
    action.from.push(from);
    action.given = action.given || report.id === action.id;
    action.order = action.order || order;
    event.id = action.id;

    // Views are counted by the core. A tag may have one more, before the core has seen the navigation.
    if (options.silent || action.told || (name === VIEW && from !== 'page' && views.length)) return false;
    if (name === 'purchase' && from !== 'page' && !action.order && !options.waited) {
      waiting.push([event.name, event.data, assign({}, options, { id: action.id, waited: true })]);
      later(release, WAIT_MS);
      return false;
    }
    action.told = true;
  });
})(__SETTINGS__);
