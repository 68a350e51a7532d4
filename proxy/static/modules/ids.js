/**
 * Shared event ids for the tags of TikTok (`ttq`), Pinterest (`pintrk`) and Snapchat (`snaptr`): each call gets the id of
 * the event it is about, in the tag's own form, so the platform counts the browser's copy and the server's once.
 *
 * With `mirror` their calls are events of ours too, for sites that tell nobody else.
 *
 * @param {{mirror: boolean}} settings
 */
guard((settings) => {
  const { assign, keys } = Object;
  const { isArray } = Array;

  // How the tags call what we read under another name. Snapchat's price is the order's value.
  const NAMES = {
    price: 'value',
    item_ids: 'content_ids',
    number_items: 'num_items',
    order_quantity: 'num_items',
    contents: 'items',
    line_items: 'items',
  };

  function translate(data) {
    const known = {};
    for (const key of keys(data || {})) known[NAMES[key] || key] = data[key];
    if (isArray(known.items)) {
      known.items = known.items.map((item) => {
        const plain = {};
        for (const key of keys(item || {})) plain[key.replace(/^(content|product)_/, '')] = item[key];
        return plain;
      });
    }
    return known;
  }

  // Pinterest's checkout is what others call a purchase.
  const ours = (name, data) => [name === 'checkout' ? 'purchase' : name, translate(data)];
  const share = (from, args, at, idAt, ids) => calls.share(args, at, idAt, ids, from, settings.mirror, ours);

  for (const [name, ids] of [
    ['pintrk', ['event_id', 'eventID', 'eid']],
    ['snaptr', ['client_dedup_id']],
  ]) {
    const change = (args) => (args[0] === 'track' ? share(name, args, 1, 2, ids) : args);
    calls.change(window, name, change);
  }

  const tracked = (args) => share('ttq', args, 0, 2, ['event_id']);

  /** The object stays the page's own; only its `track` is ours, and that of the pixels it hands out. */
  function tiktok(ttq) {
    // Calls that wait for TikTok's file: ['track', name, data, options].
    for (let i = 0; i < ttq.length; i++) if (ttq[i][0] === 'track') ttq[i] = ['track', ...tracked(ttq[i].slice(1))];
    calls.change(ttq, 'track', tracked);
    calls.intercept(ttq, 'instance', (instance) => function () {
      const one = instance.apply(this, arguments);
      if (one) guard(tiktok)(one);
      return one;
    });
    return ttq;
  }

  calls.intercept(window, 'ttq', tiktok);
})(__SETTINGS__);
