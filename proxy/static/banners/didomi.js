/** Didomi. With its TCF notice the module `tcf` says more exactly what was agreed to. */
guard(() => {
  const look = banner('didomi', [], () => {
    const { Didomi } = window;
    if (!Didomi || !Didomi.getCurrentUserStatus || Didomi.shouldUserStatusBeCollected()) return;
    const states = {};
    for (const { id, enabled } of Object.values(Didomi.getCurrentUserStatus().purposes)) states[id] = enabled;
    return states;
  });

  (window.didomiOnReady = window.didomiOnReady || []).push(() => look());
  (window.didomiEventListeners = window.didomiEventListeners || []).push({
    event: 'consent.changed',
    listener: () => look(),
  });
})();
