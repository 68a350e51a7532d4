/**
 * The Meta pixel bridge: what a page tells `fbq` reaches us as well, and both use one event id, so Meta counts it once.
 *
 * `fbq` stays what it is, with its properties and its queue; calls that wait for Meta's file are changed before it comes.
 * Events the pixel makes inside its own file (automatic clicks, views it sees in the history) do not pass here.
 *
 * @param {{mirror: boolean}} settings
 */
guard((settings) => {
  const { exec } = RegExp.prototype;

  function shared(args) {
    // trackSingle and trackSingleCustom name a pixel first; the same event for two pixels is one action.
    const found = exec.call(/^track(Single)?(Custom)?$/, args[0]);
    if (!found) return args;
    const at = found[1] ? 2 : 1;
    const from = 'fbq' + (found[1] ? args[1] : '');
    return calls.share(args, at, at + 2, ['eventID'], from, settings.mirror);
  }

  for (const name of ['fbq', '_fbq']) calls.change(window, name, shared);
})(__SETTINGS__);
