/** Klaro. The categories are the purposes of its services; one is granted when all services that serve it are. */
guard(() => {
  let watched;

  const look = banner('klaro', ['load'], () => {
    const manager = window.klaro && window.klaro.getManager();
    if (!manager) return;
    if (manager !== watched) {
      watched = manager;
      manager.watch({ update: (_, name) => name === 'saveConsents' && look() });
    }
    if (!manager.confirmed) return;
    const states = {};
    for (const { name, purposes } of manager.config.services) {
      for (const purpose of purposes || []) states[purpose] = states[purpose] !== false && manager.getConsent(name);
    }
    return states;
  });
})();
