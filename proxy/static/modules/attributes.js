/**
 * Events written in HTML: `<button data-fh-track="add_to_cart" data-fh-value="29.95" data-fh-currency="EUR">`.
 *
 * `data-fh-on` says when: `click` (the rule), `submit` (the rule for a form) or `visible`, once, when half of it is in view
 * or it fills half of the view.
 * `data-fh-event-id` is the event's id, every other `data-fh-…` a field of its data (`data-fh-order-id` is `order_id`).
 * Elements may come and go; nothing is attached to them.
 */
guard(() => {
  const { parse } = JSON;
  const SELECTOR = '[data-fh-track]';

  /** Lists and objects are written as JSON. */
  function read(text) {
    try {
      return /^[[{]/.test(text) ? parse(text) : text;
    } catch (error) {
      return text;
    }
  }

  function told(element) {
    const data = {};
    for (const { name, value } of element.attributes) {
      const field = /^data-fh-(?!track$|on$|match$)(.+)/.exec(name);
      if (field) data[field[1].replace(/-/g, '_')] = read(value);
    }
    const id = data.event_id;
    delete data.event_id;
    firsthand.track(element.dataset.fhTrack, data, { id });
  }

  const moment = (element) => element.dataset.fhOn || (element.matches('form') ? 'submit' : 'click');

  function happened(event) {
    if (event.button > 1) return;
    const type = event.type === 'submit' ? 'submit' : 'click';
    const element = event.composedPath().find((node) => node.matches && node.matches(SELECTOR) && moment(node) === type);
    if (element) told(element);
  }

  for (const type of ['click', 'auxclick', 'submit']) on(window, type, happened);

  const views = new IntersectionObserver(
    guard((entries) => {
      for (const { intersectionRatio, intersectionRect, target } of entries) {
        if (intersectionRatio < 0.5 && intersectionRect.height < innerHeight / 2) continue;
        views.unobserve(target);
        told(target);
      }
    }),
    { threshold: [0.1, 0.2, 0.3, 0.4, 0.5] }
  );

  const seen = new WeakSet();
  function look() {
    for (const element of document.querySelectorAll(SELECTOR + '[data-fh-on=visible]')) {
      if (!seen.has(element)) views.observe(element);
      seen.add(element);
    }
  }
  look();
  new MutationObserver(guard(look)).observe(document, { childList: true, subtree: true });
})();
