/**
 * Loads the tracker script of a Firsthand collector and gives the function that talks to it. Nothing happens on import,
 * and nothing at all where there is no page: code that runs on a server as well can call it there.
 */

import type { Config, Firsthand } from './types.js';

export type * from './types.js';

export interface LoadOptions {
  /** The collector, `https://t.shop.example`; or the script itself, where it has another path than `/tracker.js`. */
  url: string;
  /** What this page changes about the script's settings. */
  config?: Config;
  /** `tracker.global_name` of the collector's configuration. Default: `firsthand`. */
  global?: string;
  /** The page's nonce, under a Content Security Policy that asks for one. */
  nonce?: string;
}

interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/** Puts the script into the page, once, and queues calls until it is there. */
export function load(options: LoadOptions): Firsthand {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => undefined;
  const page = window as unknown as Record<string, any>;
  const name = options.global ?? 'firsthand';
  const url = addressOf(options.url);

  if (options.config) page[name + 'Config'] = { ...page[name + 'Config'], ...options.config };
  page[name] ??= stub();
  if (!Array.from(document.scripts).some((script) => script.src === url)) insert(url, options.nonce);

  // Looked up at every call: the script puts its own function there.
  return ((...args: unknown[]) => page[name](...args)) as Firsthand;
}

function addressOf(collector: string): string {
  const url = new URL(collector, document.baseURI);
  if (!/\.js$/.test(url.pathname)) url.pathname = url.pathname.replace(/\/?$/, '/tracker.js');
  return url.href;
}

function stub(): Firsthand {
  const queued: IArguments[] = [];
  const queue = function () {
    queued.push(arguments);
  };
  return Object.assign(queue, { q: queued }) as unknown as Firsthand;
}

function insert(url: string, nonce: string | undefined): void {
  const script = document.createElement('script');
  script.async = true;
  if (nonce) script.nonce = nonce;
  try {
    script.src = trusted(url);
    document.head.appendChild(script);
  } catch (error) {
    console.warn('firsthand: this page allows no script to be inserted; put the tag into the page itself', error);
  }
}

/** Under Trusted Types an address must come from a policy; ours, `firsthand`, says yes to this one address. */
function trusted(url: string): string {
  const policies = (window as { trustedTypes?: Policies }).trustedTypes;
  if (!policies) return url;
  try {
    return policies.createPolicy('firsthand', { createScriptURL: (asked) => (asked === url ? url : '') }).createScriptURL(url);
  } catch (error) {
    // Not on the page's list of policies, or made before: perhaps plain text is allowed.
    return url;
  }
}
