/**
 * The dataLayer bridge: e-commerce events the site already pushes for Google Tag Manager or gtag.js reach us as well.
 *
 * Reads what was pushed before it came and everything after, each entry once, and passes every push on unchanged. Both
 * forms are understood: `{event: 'purchase', ecommerce: {…}}` and the arguments of `gtag('event', 'purchase', {…})`.
 * Only the events and fields named here or in the settings are taken; a dataLayer holds much that is nobody's business.
 *
 * @param {{name: string, events: string[], custom: string[]}} settings
 */
guard((settings) => {
  const { assign } = Object;
  const { isArray } = Array;

  const DATA = ['value', 'currency', 'transaction_id', 'coupon', 'shipping', 'tax', 'search_term'];
  const ITEM = ['item_id', 'item_name', 'item_brand', 'item_category', 'item_variant', 'price', 'quantity'];
  // Not about goods: the basket of an earlier push is none of theirs.
  const NO_BASKET = /search|login|sign_up|lead|share/;

  const seen = new WeakSet();
  /** What `ecommerce` holds by now. As in Tag Manager later keys add to it, and null empties it. */
  let basket = {};

  /** The named fields that are there, with `part` of a name replaced: `item_id` becomes `id`. */
  function pick(from, names, part = '', other = '') {
    const picked = {};
    for (const name of names) if (from[name] != null) picked[name.replace(part, other)] = from[name];
    return picked;
  }

  function tell(name, given) {
    if (!settings.events.includes(name)) return;
    const data = pick(given, DATA, 'transaction', 'order');
    if (isArray(given.items)) data.items = given.items.map((item) => pick(item || {}, ITEM, 'item_'));
    firsthand.track(name, data, { id: given.event_id, custom: pick(given, settings.custom), from: 'datalayer' });
  }

  function read(entry) {
    if (!entry || typeof entry !== 'object' || seen.has(entry)) return;
    seen.add(entry);
    if (entry[0] === 'event') return tell(entry[1], entry[2] || {});
    if (entry.ecommerce !== undefined) basket = entry.ecommerce && assign({}, basket, entry.ecommerce);
    tell(entry.event, assign({}, entry, NO_BASKET.test(entry.event) ? entry.ecommerce : basket));
  }

  readLayer(settings.name, read);
})(__SETTINGS__);
