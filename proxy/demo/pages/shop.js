// The demo shop: a small single-page app, written the way a real shop would call Firsthand.
// Its own choice about cookies is kept by its own banner (in localStorage); Firsthand is only told.
'use strict';

const PRODUCTS = [
  { id: 'mug-blue', name: 'Blue mug', price: 12.5, colour: '#4a78b5' },
  { id: 'bowl-1', name: 'Tea bowl', price: 39.9, colour: '#b5714a' },
  { id: 'glass-4', name: 'Four tumblers', price: 24, colour: '#7fa39a' },
  { id: 'cup-2', name: 'Two cups', price: 31, colour: '#c9a94f' },
];
const CURRENCY = 'EUR';
const view = document.getElementById('view');
let cart = JSON.parse(sessionStorage.getItem('cart') || '[]');

// Every call to Firsthand goes through here, so that the page can show it. Page views the script counts by itself.
function tell(command, ...args) {
  const result = window.firsthand(command, ...args);
  const item = document.createElement('li');
  const code = document.createElement('code');
  item.append(command === 'track' ? `track ${args[0]}` : command);
  // With spaces, at which the lines may break.
  code.append(JSON.stringify((command === 'track' ? args[1] : args[0]) || {}, null, 1).replace(/\n */g, ' '));
  item.append(code);
  document.getElementById('calls').prepend(item);
  return result;
}

const picture = ({ colour }) => `<span class="art" style="background:${colour}"></span>`;
const money = (amount) => amount.toFixed(2) + ' €';
const total = () => Math.round(cart.reduce((sum, line) => sum + line.price * line.quantity, 0) * 100) / 100;
const items = () => cart.map(({ id, name, price, quantity }) => ({ id, name, price, quantity }));
const order = () => ({ value: total(), currency: CURRENCY, items: items() });

function saveCart() {
  sessionStorage.setItem('cart', JSON.stringify(cart));
  document.getElementById('count').textContent = cart.reduce((sum, line) => sum + line.quantity, 0);
}

function add(product) {
  const line = cart.find((entry) => entry.id === product.id);
  if (line) line.quantity += 1;
  else cart.push({ ...product, quantity: 1 });
  saveCart();
  const { id, name, price } = product;
  tell('track', 'add_to_cart', { value: price, currency: CURRENCY, items: [{ id, name, price, quantity: 1 }] });
}

const pages = {
  '/': () => {
    view.innerHTML = `<h1>Things to drink from</h1><div class="grid">${PRODUCTS.map((p) => `
      <a class="card" href="/product/${p.id}" data-link>${picture(p)}${p.name}<br><span class="price">${money(p.price)}</span></a>`).join('')}</div>`;
    return 'Mug & Co';
  },
  '/product/:id': (id) => {
    const product = PRODUCTS.find((entry) => entry.id === id) || PRODUCTS[0];
    view.innerHTML = `${picture(product)}<h1>${product.name}</h1><p class="price">${money(product.price)}</p>
      <button id="add">Put it in the cart</button> <a href="/cart" data-link>To the cart</a>`;
    document.getElementById('add').onclick = () => add(product);
    const { name, price } = product;
    tell('track', 'view_content', { value: price, currency: CURRENCY, items: [{ id: product.id, name, price, quantity: 1 }] });
    return product.name;
  },
  '/cart': () => {
    if (!cart.length) {
      view.innerHTML = '<h1>Your cart</h1><p>Nothing in it yet. <a href="/" data-link>Look around</a></p>';
      return 'Cart';
    }
    view.innerHTML = `<h1>Your cart</h1><table>${cart.map((line) => `<tr><td>${line.quantity} × ${line.name}</td><td class="price">${money(line.price * line.quantity)}</td></tr>`).join('')}
      <tr><td><b>Total</b></td><td class="price">${money(total())}</td></tr></table><p><button id="checkout">To the checkout</button></p>`;
    document.getElementById('checkout').onclick = () => go('/checkout');
    return 'Cart';
  },
  '/checkout': () => {
    if (!cart.length) return pages['/cart']();
    view.innerHTML = `<h1>Checkout</h1><form id="form">
      <label>E-mail <input name="email" type="email" required value="ann@example.com"></label>
      <label>Phone <input name="phone" value="+49 30 123456"></label>
      <label>First name <input name="first_name" value="Ann"></label><label>Last name <input name="last_name" value="Example"></label>
      <label>City <input name="city" value="Berlin"></label><label>Postcode <input name="zip" value="10115"></label>
      <button>Buy for ${money(total())}</button></form>`;
    tell('track', 'initiate_checkout', order());
    document.getElementById('form').onsubmit = (submit) => {
      submit.preventDefault();
      buy(Object.fromEntries(new FormData(submit.target)));
    };
    return 'Checkout';
  },
  '/thanks': () => {
    const done = JSON.parse(sessionStorage.getItem('order'));
    if (!done) return pages['/cart']();
    view.innerHTML = `<h1>Thank you!</h1><p>Order <b>${done.id}</b> over <span class="price">${money(done.value)}</span>.</p>
      <p>A Meta Pixel on this page would be told the same event id, and Meta would count the purchase once:</p>
      <pre>fbq('track', 'Purchase', {value: ${done.value}, currency: 'EUR'}, {eventID: '${done.id}'})</pre>`;
    return 'Thank you';
  },
  '/contact': () => {
    view.innerHTML = `<h1>Ask us</h1><form id="form"><label>E-mail <input name="email" type="email" required value="bob@example.com"></label><button>Call me back</button></form>`;
    document.getElementById('form').onsubmit = (submit) => {
      submit.preventDefault();
      tell('identify', { email: new FormData(submit.target).get('email') });
      tell('track', 'lead', { value: 5, currency: CURRENCY });
      view.innerHTML = '<h1>Thank you!</h1><p>We will be in touch.</p>';
    };
    return 'Contact';
  },
};

function buy(person) {
  const id = 'order-' + Date.now().toString(36) + Math.random().toString(36).slice(2, 6);
  const bought = { ...order(), order_id: id };
  sessionStorage.setItem('order', JSON.stringify({ id, value: bought.value }));
  tell('identify', { ...person, country: 'DE' });
  tell('track', 'purchase', bought, { id });
  cart = [];
  saveCart();
  go('/thanks');
}

function show() {
  const path = location.pathname;
  const product = path.match(/^\/product\/([\w-]+)$/);
  document.title = product ? pages['/product/:id'](product[1]) : (pages[path] || pages['/'])();
}

function go(path) {
  history.pushState({}, '', path);
  show();
}

// The shop's own consent banner.
const CHOICE = 'shop-consent';
const STATES = {
  undecided: 'No answer to the banner yet: events wait in the memory of this page. Nothing is stored, nothing is sent.',
  yes: 'Agreed: events are sent as they happen, page views too. Cookies are set by the answers.',
  no: 'Refused: what is told here goes nowhere. Cookies of an earlier yes are deleted.',
};
const banner = document.getElementById('banner');
const state = document.getElementById('state');
state.textContent = STATES.undecided;
function decide(yes) {
  localStorage.setItem(CHOICE, yes ? 'yes' : 'no');
  state.textContent = yes ? STATES.yes : STATES.no;
  banner.hidden = true;
  const said = yes ? 'granted' : 'denied';
  tell('consent', { marketing: said, analytics: said });
}
document.getElementById('accept').onclick = () => decide(true);
document.getElementById('refuse').onclick = () => decide(false);
document.getElementById('withdraw').onclick = () => { banner.hidden = false; };
const choice = localStorage.getItem(CHOICE);
if (choice) decide(choice === 'yes');
else banner.hidden = false;

document.addEventListener('click', (click) => {
  const link = click.target.closest('a[data-link]');
  if (!link || click.metaKey || click.ctrlKey || click.shiftKey) return;
  click.preventDefault();
  go(link.getAttribute('href'));
});
window.addEventListener('popstate', show);
saveCart();
show();
