/**
 * The script on the page: turns what a visitor does into events and brings them to the site's own collector.
 *
 * It owns one global function, the events that wait in memory and one localStorage entry (`<global>_queue`, only after
 * consent, only for events that could not be delivered). It sets no cookie and reads none: identity is the server's.
 * It never throws into the page, never blocks it, and trusts no native the page might replace after it has started.
 *
 * Life of an event: `record` puts it into `queue`; it waits there for consent and for a batch; `take` turns waiting
 * events into one request body; `deliver` (alive) or `leave` (page goes away) sends it; `settle` reads the answer.
 *
 * This file is what is served, minified where a build did that, else without its comments and indentation: keep comments
 * on lines of their own. The last line receives the settings. The server puts the whole into a strict function that a second
 * copy leaves at once, with `hooks`, a list of functions that see each event before it waits (they may change it, and drop
 * it by returning false), and appends the modules that were asked for. They use the commands of `firsthand`, and of the core
 * only `guard` (in which each of them runs: what it cannot do in this browser, the page and the others do not notice), `on`,
 * `later` and `base`.
 *
 * @typedef {{marketing?: string, analytics?: string, personalization?: string, sale?: string, source?: string, time?: number}} Consent
 * @typedef {{url: string, referrer: string, title?: string, language: string, screen: string, viewport: string}} Page
 * @typedef {{id: string, name: string, time: number, data?: object, custom?: object, page: Page, user: object, consent?: Consent}} Event
 *     `consent` only on events that come from the retry queue: what the visitor had agreed to when they were kept.
 * @typedef {{id?: string, user?: object, custom?: object}} Options
 * @typedef {{events: Event[], body: string}} Batch
 * @typedef {{events: string, global: string, pageViews: boolean, retryQueue: boolean, gpc: Consent | null, consent: Consent, before?: Function}} Config
 *     `events` is a path or URL, relative to the URL of this script; `gpc` is what this signal refuses; `before` only a page
 *     can say: the first of the hooks.
 *
 * @param {Config} baked
 */
var { firsthand, guard, on, later, base } = (function (baked) {
  // Numbers first: a minifier then writes them where they are used.
  const SETTLE_MS = 50;
  const BATCH_MS = 2000;
  const BATCH_EVENTS = 10;
  // Browsers allow 64 KiB of keepalive requests and beacons under way together: 16 + 48 is exactly that.
  const FETCH_BYTES = 16384;
  const BEACON_BYTES = 49152;
  const REQUEST_EVENTS = 100;
  const UNDECIDED_EVENTS = 50;
  const UNDECIDED_MS = 18e5;
  const WAITING_EVENTS = 1000;
  const STORED_CHARS = 32768;
  const STORED_MS = 864e5;
  // A network error (a blocker, most likely) counts 10, an answer "later" counts 3: three or ten in a row, then quiet.
  const STRIKES = 30;
  const REST_MS = 36e5;

  const earlier = window[baked.global];
  const { fetch, setTimeout, Blob, URL, crypto, BroadcastChannel } = window;
  const { stringify, parse } = JSON;
  const { now } = Date;
  const { assign } = Object;
  const { random, min } = Math;
  const { warn } = console;
  // Array methods as functions of the array.
  const own = (method) => method.call.bind(method);
  const push = own([].push);
  const splice = own([].splice);
  const concat = own([].concat);
  const filter = own([].filter);
  const { sendBeacon, locks } = navigator;
  const doc = document;

  // What paths are relative to: this script, where it can see its address.
  const base = (doc.currentScript || {}).src || location.href;
  const storeKey = baked.global + '_queue';

  const STATES = { true: 'granted', false: 'denied', granted: 'granted', denied: 'denied' };

  // Worth a request of their own at once, under any of the names people use for them (Purchase, generate_lead, sign_up).
  const URGENT = /purchase|order|pay|lead|sign|regist|subscri|trial|submit|contact|schedul|donat/i;

  /** @type {Config} */
  let config = baked;
  /** What the visitor said on this page. @type {Consent} */
  const decided = {};
  /** Waiting, oldest first. @type {Event[]} */
  let queue = [];
  /** Sent, answer outstanding. @type {Event[]} */
  let inFlight = [];
  /** Whom `identify` named; shared by the events since the last `reset`. */
  let user = {};
  /** The page that new events belong to. @type {Page} */
  let page;
  /** The last page_view. @type {Event | undefined} */
  let view;
  /** How this page load began, told until the first answer: requests that race each other then make one visitor. */
  let landing;
  /** The page it began on; told as `before` leaves it. @type {Page} */
  let first;
  /** When `reset` was called; told from then on, so that the server forgets the person, too. */
  let resetAt;
  /** Where events go; where we are. @type {string} */
  let endpoint;
  let path;
  let query;
  /** A view was just recorded and waits for its title. */
  let settling;
  let batching;
  /** The last flush left something behind that should go as soon as it can. */
  let due;
  /** Waiting for our turn among the tabs. */
  let queuing;
  /** A grant was taken back, or a person left, while a request was under way, whose answer may set again what that deletes. */
  let overtaken;
  let resting;
  /** To the other tabs of the site; one in the back/forward cache that is told loses its place there. */
  let channel;
  let strikes = 0;
  let sequence = 0;

  /** The same function, but its faults end here, as a warning. */
  function guard(work) {
    return function () {
      try {
        return work.apply(this, arguments);
      } catch (error) {
        warn(baked.global, error);
      }
    };
  }

  function later(work, ms) {
    setTimeout(guard(work), ms);
  }

  /** Hears an event before the page does, which may stop it. */
  function on(target, type, work) {
    target.addEventListener(type, guard(work), true);
  }

  /** A copy that the page can no longer change. Throws on what is not JSON. */
  function copy(value) {
    return parse(stringify(value || {}));
  }

  function bytes(text) {
    return new Blob([text]).size;
  }

  function hex(number, digits) {
    return number.toString(16).padStart(digits, '0');
  }

  /** UUIDv7: Unix ms, a counter for order within the page, 62 random bits. */
  function newId() {
    let tail = new Uint8Array(8).map(() => random() * 256);
    if (crypto) crypto.getRandomValues(tail);
    tail[0] = (tail[0] & 63) | 128;
    tail = tail.reduce((text, byte) => text + hex(byte, 2), '');
    return (hex(now(), 12) + '7' + hex(sequence++ & 4095, 3) + tail).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  /** @returns {Consent} the visitor's words and the browser's opt-out signal: all that is told, defaults are the server's */
  function said() {
    return assign({ source: 'default' }, decided, navigator.globalPrivacyControl && config.gpc);
  }

  /** @returns {Consent} what holds now: the defaults as far as nothing else was said */
  function consentNow() {
    return assign({}, config.consent, said());
  }

  function allows(consent) {
    return consent.marketing === 'granted' || consent.analytics === 'granted';
  }

  function refused() {
    return decided.marketing === 'denied' && decided.analytics === 'denied';
  }

  /** May anything be sent or stored? Not before consent, and not on a page nobody has seen yet. */
  function mayAct() {
    return !doc.prerendering && allows(consentNow());
  }

  /** A refusal made since wins over the consent an event was kept under; a later grant does not widen it. */
  function narrow(then, today) {
    const both = assign({}, then);
    for (const purpose in today) if (today[purpose] === 'denied') both[purpose] = 'denied';
    return both;
  }

  function openPage(referrer) {
    if (page) page.title = page.title || doc.title;
    page = {
      url: location.href,
      referrer,
      language: navigator.language,
      screen: screen.width + 'x' + screen.height,
      viewport: innerWidth + 'x' + innerHeight,
    };
  }

  /** @returns {Event} */
  function record(name, data, options) {
    if (!name) throw Error('no event name');
    const given = options || {};
    const event = copy({ id: '' + (given.id || newId()), name: '' + name, time: now(), data, custom: given.custom });
    event.page = page;
    event.user = given.user ? assign({}, user, copy(given.user)) : user;
    const dropped = filter(hooks, (hook) => guard(hook)(event, given) === false).length;
    // What a hook made of it must fit into a request.
    stringify(event);
    if (!dropped && !refused()) enqueue(event);
    return event;
  }

  function enqueue(event) {
    push(queue, event);
    // Over the limit the oldest go, but never the first: it holds the landing URL with the click id.
    if (queue.length > (mayAct() ? WAITING_EVENTS : UNDECIDED_EVENTS)) splice(queue, 1, 1);
    if (event.name === 'page_view') {
      // Time for the page to set its title, and for the events that come with a view.
      settling = true;
      later(() => {
        settling = false;
        flush();
      }, SETTLE_MS);
    } else if (doc.hidden || queue.length >= BATCH_EVENTS || URGENT.test(event.name)) {
      soon();
    } else if (!batching) {
      batching = true;
      later(() => {
        batching = false;
        flush();
      }, BATCH_MS);
    }
  }

  /** Sends when the running task of the page is done, with everything it recorded. */
  async function soon() {
    await null;
    guard(flush)();
  }

  /** One request at a time: two first ones side by side would each be given a visitor id. */
  function flush() {
    if (settling) return;
    page.title = page.title || doc.title;
    due = queue.length;
    if (maySend()) {
      // Tabs without a first answer take turns, for the same reason.
      queuing = landing && locks;
      if (queuing) locks.request(storeKey, send).catch(send);
      else send();
    }
  }

  function maySend() {
    return queue.length && !inFlight.length && !resting && !queuing && mayAct();
  }

  /** @returns {Promise | undefined} until there is an answer */
  function send() {
    queuing = false;
    if (maySend()) return deliver(take(FETCH_BYTES));
  }

  /**
   * Removes events from the queue that fit in one request. What the first one has (page, user) is said once, for all.
   * @returns {Batch}
   */
  function take(limit) {
    page.title = page.title || doc.title;
    const consent = consentNow();
    const marketing = consent.marketing === 'granted';
    if (landing) assign(landing, { url: first.url, referrer: first.referrer });
    const shared = { page: queue[0].page, user: marketing ? queue[0].user : undefined };
    let body = stringify(assign({ sent_at: now(), consent: said(), landing, reset: resetAt, webdriver: navigator.webdriver || undefined }, shared)).slice(0, -1) + ',"events":[';
    let size = bytes(body) + 2;
    let count = 0;
    for (const event of queue) {
      const text = stringify(
        assign({}, event, {
          page: event.page === shared.page ? undefined : event.page,
          user: marketing && event.user !== shared.user ? event.user : undefined,
          consent: event.consent && narrow(event.consent, consent),
        })
      );
      size += bytes(text) + 1;
      if (count && (size > limit || count >= REQUEST_EVENTS)) break;
      body += (count++ ? ',' : '') + text;
    }
    due = queue.length - count;
    return { events: splice(queue, 0, count), body: body + ']}' };
  }

  /** text/plain with credentials: cookies travel, and no preflight is asked for. @param {Batch} batch */
  async function deliver(batch) {
    let answer;
    try {
      inFlight = concat(inFlight, batch.events);
      answer = await tell(batch.body);
    } catch (error) {
      // Offline, blocked or over the keepalive budget.
    }
    guard(settle)(batch.events, answer || {});
  }

  function tell(body) {
    return fetch(endpoint, { method: 'POST', body, credentials: 'include', keepalive: bytes(body) < 6e4 });
  }

  function sayNo() {
    overtaken = inFlight.length;
    tell(stringify({ sent_at: now(), consent: said(), reset: resetAt, events: [] })).catch(() => 0);
  }

  /** Accepted or refused for good: forget them. Otherwise they wait for another try, here or on the next page. */
  function settle(events, { status, headers }) {
    inFlight = without(events, inFlight);
    if (overtaken) sayNo();
    if (status && status < 500 && status !== 429) {
      strikes = 0;
      landing = undefined;
      forget(events);
    } else if (!refused()) {
      queue = concat(events, queue);
      if (mayAct()) keep(queue);
      strikes += status ? 3 : 10;
      resting = true;
      const pauseMs = (status && headers.get('Retry-After') * 1000) || 1000 * 2 ** (strikes / 5);
      if (strikes < STRIKES) later(wake, min(pauseMs, REST_MS) * (1 + random()));
    }
    if (due) flush();
  }

  function wake() {
    resting = false;
    flush();
  }

  /** A new chance after giving up: the network is back, or the visitor is. */
  function wakeFresh() {
    strikes = 0;
    wake();
  }

  /** The page may never run again: everything goes now, and what has no answer yet is kept for the next page. */
  function leave() {
    if (!mayAct()) return;
    // While the server is away a beacon would be lost without notice.
    if (!resting || !keep(queue)) {
      while (queue.length) {
        const batch = take(BEACON_BYTES);
        if (!beacon(batch.body)) {
          // Over the browser's budget, then; or there are no beacons here, and fetch may do.
          deliver(batch);
          break;
        }
        forget(batch.events);
      }
    }
    if (inFlight.length) keep(concat(inFlight, queue));
  }

  function beacon(body) {
    try {
      return sendBeacon.call(navigator, endpoint, new Blob([body], { type: 'text/plain' }));
    } catch (error) {
      // There are none here.
    }
  }

  /** @returns {Event[]} events that earlier pages could not deliver, at most a day old */
  function stored() {
    try {
      return filter(parse(localStorage.getItem(storeKey)), (event) => event && event.time > now() - STORED_MS);
    } catch (error) {
      return [];
    }
  }

  /** @returns {boolean | undefined} whether the browser kept them */
  function store(events) {
    try {
      if (events.length) localStorage.setItem(storeKey, stringify(events));
      else localStorage.removeItem(storeKey);
      return true;
    } catch (error) {
      // Full, or forbidden.
    }
  }

  function without(events, list) {
    return filter(list, (entry) => !filter(events, (event) => event.id === entry.id).length);
  }

  /** Adds to the retry queue, never with what `identify` said. Its own entry wins over another tab's of the same id. */
  function keep(events) {
    if (!config.retryQueue) return;
    const consent = said();
    const list = without(events, stored());
    for (const event of events) push(list, assign({}, event, { user: {}, consent: event.consent || consent }));
    // 32 KiB are fewer than a hundred events.
    while (stringify(list).length > STORED_CHARS) splice(list, 0, 1);
    return store(list);
  }

  function forget(events) {
    if (config.retryQueue) store(without(events, stored()));
  }

  /** Consent is there: what earlier pages left behind joins what waits here. */
  function resume() {
    if (!mayAct()) return;
    if (config.retryQueue) queue = concat(queue, without(concat(queue, inFlight), stored()));
    soon();
  }

  /** Notices where we are. @returns {boolean} whether that is another page */
  function moved(queryCounts) {
    const before = [path, query];
    // A hash that looks like a path is one: hash routing.
    path = location.pathname + (/^#!?\//.test(location.hash) ? location.hash : '');
    query = location.search;
    return path !== before[0] || (queryCounts && query !== before[1]);
  }

  function countView(options) {
    view = record('page_view', undefined, options);
    return view.id;
  }

  const navigated = guard((queryCounts) => {
    if (!moved(queryCounts)) return;
    openPage(page.url);
    if (config.pageViews) countView();
  });

  function follow(method, queryCounts) {
    const original = history[method];
    history[method] = function () {
      const result = original.apply(this, arguments);
      navigated(queryCounts);
      return result;
    };
  }

  function decide(given) {
    const before = consentNow();
    const words = given.source === 'default' ? config.consent : decided;
    let refusing;
    for (const purpose of ['marketing', 'analytics', 'personalization', 'sale']) {
      const state = STATES[given[purpose]];
      if (state === 'denied' && before[purpose] !== 'denied') refusing = true;
      if (state) words[purpose] = state;
    }
    words.source = given.source || 'api';
    words.time = given.time || now();
    if (refusing && allows(before)) {
      // Taken back: the server hears of it at once, because only it can delete its cookies.
      sayNo();
      if (channel) channel.postMessage(decided);
    }
    if (refused()) queue = [];
    if (!allows(before)) queue = filter(queue, (event) => event.time > now() - UNDECIDED_MS);
    if (allows(consentNow())) resume();
    else store([]);
  }

  const meet = guard(() => {
    if (!BroadcastChannel) return;
    channel = new BroadcastChannel(storeKey);
    // What was refused in one tab is refused in all; a grant is for each tab's own banner to tell.
    on(channel, 'message', ({ data }) => decide(narrow({ source: data.source }, data)));
  });

  const commands = {
    __proto__: null,

    /** @returns {string} the event id, for `fbq('track', 'Purchase', data, {eventID: id})` */
    track(name, data, options) {
      return record(name, data, options).id;
    },

    /** A view counted by hand. Right after the automatic one of the same page it is that one. */
    page(fields, options) {
      const given = copy(fields);
      if (given.url) given.url = new URL(given.url, location.href).href;
      const seen = view && view.page === page;
      if (seen && !given.url && now() - view.time < 500) {
        assign(page, given);
        return view.id;
      }
      if (seen || given.url) openPage(page.url);
      assign(page, given);
      return countView(options);
    },

    identify(given) {
      assign(user, copy(given));
    },

    /**
     * Purposes not named stay as they were. A source `default` replaces the defaults, not the visitor's words.
     * @param {Object<string, 'granted' | 'denied' | boolean>} [given]
     * @returns {Consent & {gpc: boolean}} what holds now, and whether the browser sends the opt-out signal
     */
    consent(given) {
      if (given) decide(given);
      return assign(consentNow(), { gpc: !!navigator.globalPrivacyControl });
    },

    reset() {
      user = {};
      if (config.remember) {
        resetAt = now();
        sayNo();
      }
    },

    /** Calls back with the loaded function, whose commands can return values. */
    ready(callback) {
      // Not guarded: an error in here is the page's own and the page should hear of it.
      if (typeof callback === 'function') setTimeout(callback, 0, firsthand);
    },

    id: newId,
  };

  const call = guard(([name, ...args]) => {
    if (!commands[name]) throw Error('no command ' + name);
    return commands[name](...args);
  });

  function firsthand() {
    return call(arguments);
  }

  guard(() => {
    config = assign({}, baked, window[baked.global + 'Config']);
    if (config.before) splice(hooks, 0, 0, config.before);
    endpoint = new URL(config.events, base).href;
    openPage(doc.referrer);
    first = page;
    landing = { seed: newId(), at: now() };
    moved();
    for (const name in commands) firsthand[name] = guard(commands[name]);
    // Whoever kept the stub itself still reaches us.
    (window[baked.global] = firsthand).q = { push: call };

    follow('pushState', true);
    follow('replaceState');
    on(window, 'popstate', () => navigated(true));
    on(window, 'hashchange', () => navigated(true));
    on(window, 'pageshow', (event) => {
      if (!event.persisted) return;
      openPage(doc.referrer);
      if (config.pageViews) countView();
      wakeFresh();
    });
    meet();
    on(window, 'pagehide', leave);
    on(window, 'online', wakeFresh);
    on(doc, 'visibilitychange', () => (doc.hidden ? leave() : flush()));
    on(doc, 'prerenderingchange', () => {
      if (config.pageViews) countView();
      resume();
    });

    if (config.pageViews && !doc.prerendering) countView();
    for (const args of (earlier && earlier.q) || []) call(args);
    resume();
  })();

  return { firsthand, guard, on, later, base };
})(__SETTINGS__);
