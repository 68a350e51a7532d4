/**
 * Reads a dataLayer: what was pushed before we came and everything after; every push passes on unchanged.
 *
 * @param {string} name of the global
 * @param {function(*): void} read
 */
var readLayer = (name, read) => {
  let layer;
  let reading;

  /** A push made while we read is passed on unread: it could go round for ever. */
  function readAll(entries) {
    if (reading) return;
    reading = true;
    for (const entry of entries) guard(read)(entry);
    reading = false;
  }

  function attach() {
    const found = (window[name] = window[name] || []);
    if (found === layer || !Array.isArray(found)) return;
    layer = found;
    const { push } = layer;
    layer.push = function () {
      guard(readAll)(arguments);
      return push.apply(this, arguments);
    };
    readAll([].slice.call(layer));
  }

  attach();
  // Some pages assign a new array instead of keeping ours.
  on(window, 'load', attach);
};
