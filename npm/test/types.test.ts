// Never run: `tsc` reads it. Every command with everything it takes, and what it must not take.
import { load, type Config, type Consent, type Loaded } from 'firsthand-tracker';

const firsthand = load({ url: 'https://t.shop.example', nonce: 'n', global: 'firsthand' });

firsthand('track', 'purchase', {
  value: '59.90',
  currency: 'EUR',
  order_id: 'o-1001',
  items: [{ id: 'sku-1', name: 'Mug', brand: 'B', category: 'C', variant: 'V', price: 29.95, quantity: 2 }],
  anything: { of: 'yours' },
}, { id: 'o-1001', user: { email: 'ann@example.com' }, custom: { a: 1 } });
firsthand('track', 'an event of my own');
firsthand('page');
firsthand('page', { url: '/step-2', title: 'Step', referrer: '' }, { id: 'v-1' });
firsthand('identify', { email: ['a@example.com', 'b@example.com'], phone: '+49 170 1', zip: '1' });
firsthand('consent', { marketing: true, analytics: 'denied', source: 'banner', time: 1 });
firsthand('reset');
firsthand('ready', (loaded) => {
  const id: string = loaded.track('lead');
  const holds: Consent = loaded.consent();
  return [id, holds, loaded.id()];
});
const maybe: string | undefined = firsthand('track', 'lead');

const config: Config = {
  events: '/e',
  pageViews: false,
  retryQueue: false,
  gpc: { sale: 'denied', marketing: 'denied' },
  consent: { analytics: 'granted' },
  before(event) {
    if (event.name === 'secret') return false;
    event.page.url = event.page.url.replace(/\?.*/, '');
    return;
  },
};
load({ url: '/fh/tracker.js', config });
declare const loaded: Loaded;
loaded('track', 'lead');

// @ts-expect-error there is no such command
firsthand('tarck', 'lead');
// @ts-expect-error an event needs a name
firsthand('track');
// @ts-expect-error a purpose is granted or denied
firsthand('consent', { marketing: 'yes' });
// @ts-expect-error no such purpose
firsthand('consent', { adverts: true });
// @ts-expect-error no such match key
firsthand('identify', { e_mail: 'ann@example.com' });
// @ts-expect-error the queue may not have an id yet
const surely: string = firsthand('track', 'lead');
// @ts-expect-error no such option
firsthand('track', 'lead', {}, { eventID: 'x' });
// @ts-expect-error the collector must be named
load({});
// @ts-expect-error no such setting
load({ url: '/', config: { pageviews: true } });

export { maybe, surely };
