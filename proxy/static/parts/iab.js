/**
 * Listens to a banner through one of IAB's functions. Banners that are loaded late, by a tag manager for example, bring
 * theirs late.
 *
 * @param {string} name of the function
 * @param {Array} command that makes it listen; the callback follows
 * @param {function(object): void} tell takes what the banner says
 */
var iab = (name, command, tell) => {
  const POLL_MS = 250;
  let polls = 60;

  const heard = guard((said, success) => {
    if (success && said) tell(said);
  });

  function attach() {
    if (typeof window[name] === 'function') window[name](...command, heard);
    else if (polls--) later(attach, POLL_MS);
  }

  attach();
};
