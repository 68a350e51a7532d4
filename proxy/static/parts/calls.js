/**
 * How bridges get between the page and another tag's global, which may come before us, after us, or be replaced while
 * its own file loads. What the tag does, and what the page sees of it, stays as it is.
 */
var calls = (() => {
  const { assign, defineProperty } = Object;
  // What we put in place of what. One function under two names (fbq, _fbq) stays one.
  const made = new WeakMap();

  /** From now on `owner[key]` is `replace(it)`, for what is there and for whatever is put there later. */
  function intercept(owner, key, replace) {
    const replaced = guard((value) => {
      const ours = made.get(value) || replace(value);
      made.set(value, ours).set(ours, ours);
      return ours;
    });
    const safely = (value) => (value && replaced(value)) || value;
    let current = safely(owner[key]);
    try {
      defineProperty(owner, key, {
        configurable: true,
        enumerable: true,
        get: () => current,
        set(value) {
          current = safely(value);
        },
      });
    } catch (error) {
      // Declared with `var`: it cannot be watched, but it can be replaced.
      if (current) owner[key] = current;
    }
  }

  /**
   * From now on the function `owner[key]` is called with what `revise` makes of its arguments. Its properties stay its
   * own (a tag's file puts `callMethod` there when it comes), and calls that wait in its queue for that file are revised,
   * too.
   */
  function change(owner, key, revise) {
    const safely = (args) => guard(revise)(args) || args;
    intercept(owner, key, (original) => {
      const queue = original.queue || [];
      for (let i = 0; i < queue.length; i++) queue[i] = safely([].slice.call(queue[i]));
      const proxy = new Proxy(original, {
        apply: (target, self, args) => target.apply(self, safely(args)),
        // fbq.push is fbq.
        get: (target, key) => (target[key] === original ? proxy : target[key]),
      });
      return proxy;
    });
  }

  /**
   * Reports a call and puts the id of its action where the tag looks for it. An id that is there already stays.
   * @param at where the event's name stands; its data follow
   * @param idAt the object that holds the id
   * @param keys names the tag takes the id under, the usual one first
   * @param from who reports
   * @param mirror whether what is reported is recorded, too
   * @param translate the tag's name and data of the event, in our words; without it they are ours
   */
  function share(args, at, idAt, keys, from, mirror, translate = (...given) => given) {
    const changed = args.slice();
    const holder = assign({}, args[idAt]);
    const key = keys.find((one) => holder[one]) || keys[0];
    const [name, data] = translate(args[at], args[at + 1]);
    const id = firsthand.track(name, data, { id: holder[key], from, silent: !mirror });
    if (!id) return args;
    changed[at + 1] = args[at + 1] || {};
    changed[idAt] = holder;
    holder[key] = holder[key] || id;
    return changed;
  }

  return { intercept, change, share };
})();
