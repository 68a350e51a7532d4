/**
 * What the script on the page understands, as types: its commands, what they take and what they answer.
 * The words are those of docs/tracker.md and docs/http.md.
 */

/** Names every destination knows. */
export type StandardEvent =
  | 'page_view'
  | 'view_content'
  | 'view_category'
  | 'search'
  | 'add_to_cart'
  | 'add_to_wishlist'
  | 'initiate_checkout'
  | 'add_payment_info'
  | 'purchase'
  | 'lead'
  | 'complete_registration'
  | 'contact'
  | 'subscribe'
  | 'start_trial'
  | 'schedule'
  | 'find_location'
  | 'customize_product'
  | 'donate'
  | 'submit_application'
  | 'login'
  | 'share'
  | 'download';

/** A standard name, one that GA4, Meta, TikTok or Segment has for it, or a name of your own. */
export type EventName = StandardEvent | (string & {});

/** Money, exactly: text such as `'59.90'` is fine. */
export type Amount = number | string;

export interface Item {
  id?: string;
  name?: string;
  brand?: string;
  category?: string;
  variant?: string;
  price?: Amount;
  quantity?: number;
}

/** What was bought, searched, asked for. Keys not named here are passed on as free keys. */
export interface Data {
  /** The total in `currency`. */
  value?: Amount;
  /** ISO 4217: `'EUR'`. */
  currency?: string;
  order_id?: string;
  items?: Item[];
  search_term?: string;
  coupon?: string;
  shipping?: Amount;
  tax?: Amount;
  predicted_ltv?: Amount;
  net_revenue?: Amount;
  status?: string;
  num_items?: number;
  content_ids?: string[];
  content_type?: string;
  content_name?: string;
  content_category?: string;
  delivery_category?: string;
  description?: string;
  [key: string]: unknown;
}

/** Who it is: plain, or SHA-256 in hex. Sent only while marketing is granted. */
export interface User {
  email?: string | string[];
  phone?: string | string[];
  external_id?: string | string[];
  first_name?: string;
  last_name?: string;
  street?: string;
  city?: string;
  state?: string;
  zip?: string;
  country?: string;
  gender?: string;
  birth_date?: string;
}

export type Purpose = 'marketing' | 'analytics' | 'personalization' | 'sale';
export type ConsentState = 'granted' | 'denied';

/** What the visitor said. Purposes not named stay as they were. */
export type ConsentGiven = { [purpose in Purpose]?: ConsentState | boolean } & {
  /** Who asked: the name of the banner. */
  source?: string;
  /** When, in Unix milliseconds. */
  time?: number;
};

/** What holds. */
export type Consent = { [purpose in Purpose]?: ConsentState } & { source?: string; time?: number };

export interface Options {
  /** The event id, to share it with a platform's own tag. */
  id?: string;
  /** Whom this event is about, on top of `identify`. */
  user?: User;
  /** Free keys and values, passed on where a platform allows them. */
  custom?: Record<string, unknown>;
}

export interface PageFields {
  /** May be relative. */
  url?: string;
  title?: string;
  referrer?: string;
}

/** An event as `before` sees it. */
export interface RecordedEvent {
  id: string;
  name: string;
  /** Unix milliseconds. */
  readonly time: number;
  data?: Data;
  custom?: Record<string, unknown>;
  /** Shared by the events of a page: change its fields, do not replace it. */
  readonly page: { url: string; referrer: string; title?: string; language: string; screen: string; viewport: string };
  user: User;
}

/** What a page can change for itself, before the script loads. */
export interface Config {
  /** Where events go; a path is relative to the script's own URL. */
  events?: string;
  /** Count page views automatically. */
  pageViews?: boolean;
  /** Keep undelivered events in localStorage, after consent. */
  retryQueue?: boolean;
  /** What `navigator.globalPrivacyControl` refuses: `{sale: 'denied'}`; `null` for nothing. */
  gpc?: { [purpose in Purpose]?: 'denied' } | null;
  /** What counts until `consent` is called. */
  consent?: { [purpose in Purpose]?: ConsentState };
  /** Sees every event first: may change it, or drop it by returning `false`. */
  before?: (event: RecordedEvent) => false | void;
}

export interface Commands {
  /** @returns the event id */
  track(name: EventName, data?: Data, options?: Options): string;
  /** A page view counted by hand. @returns the event id */
  page(fields?: PageFields, options?: Options): string;
  identify(user: User): void;
  /** Without an argument nothing changes. @returns what holds now, and whether the browser sends Global Privacy Control */
  consent(given?: ConsentGiven): Consent & { gpc: boolean };
  /** Forgets what `identify` said. */
  reset(): void;
  /** Calls back with the loaded script, whose commands return values. */
  ready(callback: (firsthand: Loaded) => void): void;
  /** @returns a fresh event id */
  id(): string;
}

export type Command = keyof Commands;

/** The function a page calls. Until the script has loaded it queues, and returns nothing. */
export interface Firsthand {
  <Name extends Command>(command: Name, ...args: Parameters<Commands[Name]>): ReturnType<Commands[Name]> | undefined;
}

/** The function once the script has loaded. */
export type Loaded = Firsthand & Commands;
