import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { load } from 'firsthand-tracker';

const URL_OF_SCRIPT = 'https://t.shop.example/tracker.js';

/** As much of a page as loading needs. `refuse`: what assigning a plain address does under Trusted Types. */
function page({ trustedTypes, refuse } = {}) {
  const scripts = [];
  const script = () => {
    let src = '';
    return {
      get src() {
        return src;
      },
      set src(value) {
        if (refuse && typeof value === 'string') throw new TypeError('This document requires TrustedScriptURL');
        src = '' + value;
      },
    };
  };
  globalThis.window = trustedTypes ? { trustedTypes } : {};
  globalThis.document = {
    baseURI: 'https://www.shop.example/mugs/',
    scripts,
    createElement: script,
    head: { appendChild: (element) => scripts.push(element) },
  };
  return { window: globalThis.window, scripts };
}

afterEach(() => {
  delete globalThis.window;
  delete globalThis.document;
});

test('on a server it does nothing, at import and when it is called', () => {
  assert.equal(typeof window, 'undefined');
  const firsthand = load({ url: 'https://t.shop.example' });
  assert.equal(firsthand('track', 'purchase', { value: 1 }), undefined);
});

test('calls wait in the queue the script reads', () => {
  const { window, scripts } = page();
  const firsthand = load({ url: 'https://t.shop.example' });
  firsthand('consent', { marketing: true });
  firsthand('track', 'lead', { value: 1 });
  assert.deepEqual(window.firsthand.q.map((args) => [...args]), [
    ['consent', { marketing: true }],
    ['track', 'lead', { value: 1 }],
  ]);
  assert.deepEqual(scripts.map(({ src, async }) => [src, async]), [[URL_OF_SCRIPT, true]]);
});

test('once the script has come its own function is called and its answers are returned', () => {
  const { window } = page();
  const firsthand = load({ url: 'https://t.shop.example' });
  window.firsthand = (...args) => args.join(' ');
  assert.equal(firsthand('track', 'lead'), 'track lead');
});

test('the script is inserted once, and not where the page has its tag', () => {
  const { scripts, window } = page();
  scripts.push({ src: URL_OF_SCRIPT });
  const own = (window.firsthand = () => 'own');
  load({ url: 'https://t.shop.example' });
  load({ url: URL_OF_SCRIPT });
  assert.equal(scripts.length, 1);
  assert.equal(window.firsthand, own);
});

for (const [url, script] of [
  ['https://t.shop.example/', URL_OF_SCRIPT],
  ['https://t.shop.example/tracker.0123456789abcdef.js', 'https://t.shop.example/tracker.0123456789abcdef.js'],
  ['/fh', 'https://www.shop.example/fh/tracker.js'],
  ['/fh/main.js', 'https://www.shop.example/fh/main.js'],
]) {
  test(`${url} is the script ${script}`, () => {
    const { scripts } = page();
    load({ url });
    assert.equal(scripts[0].src, script);
  });
}

test('settings, another global and a nonce are passed on', () => {
  const { scripts, window } = page();
  window.fhConfig = { gpc: null };
  load({ url: '/fh', global: 'fh', nonce: 'n0nce', config: { pageViews: false } });
  assert.deepEqual(window.fhConfig, { gpc: null, pageViews: false });
  assert.equal(typeof window.fh, 'function');
  assert.equal(window.firsthand, undefined);
  assert.equal(scripts[0].nonce, 'n0nce');
});

test('under Trusted Types its policy allows exactly this address', () => {
  const made = {};
  const trustedTypes = {
    createPolicy(name, rules) {
      made[name] = rules;
      return { createScriptURL: (url) => ({ toString: () => rules.createScriptURL(url) }) };
    },
  };
  const { scripts } = page({ trustedTypes, refuse: true });
  load({ url: 'https://t.shop.example' });
  assert.equal(scripts[0].src, URL_OF_SCRIPT);
  assert.deepEqual(Object.keys(made), ['firsthand']);
  assert.equal(made.firsthand.createScriptURL('https://evil.example/x.js'), '');
});

test('where the page allows neither policy nor plain address it says so and goes on', (context) => {
  const warned = context.mock.method(console, 'warn', () => {});
  const trustedTypes = {
    createPolicy() {
      throw new TypeError('Policy "firsthand" disallowed');
    },
  };
  const { scripts } = page({ trustedTypes, refuse: true });
  const firsthand = load({ url: 'https://t.shop.example' });
  assert.equal(firsthand('track', 'lead'), undefined);
  assert.equal(scripts.length, 0);
  assert.equal(warned.mock.callCount(), 1);
});
