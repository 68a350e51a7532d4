/** Usercentrics, version 3 (`__ucCmp`) and version 2 (`UC_UI`). A category is granted when all its services are. */
(function () {
  const DECISION = /^(ACCEPT_ALL|DENY_ALL|SAVE)$/;

  function together(services, categoryOf, isGiven) {
    const states = {};
    for (const service of services) {
      const category = categoryOf(service);
      states[category] = states[category] !== false && isGiven(service);
    }
    return states;
  }

  banner('usercentrics', ['UC_UI_INITIALIZED', 'UC_UI_CMP_EVENT', 'load'], async (event) => {
    const { __ucCmp, UC_UI } = window;
    const decided = event.detail && DECISION.test(event.detail.type);
    if (__ucCmp) {
      const { consent, services } = await __ucCmp.getConsentDetails();
      if (!decided && consent.type !== 'EXPLICIT') return;
      return together(Object.values(services), (service) => service.category, (service) => !!(service.consent || {}).given);
    }
    if (!UC_UI || !UC_UI.isInitialized()) return;
    const services = UC_UI.getServicesBaseInfo();
    const explicit = ({ consent }) => (consent.history || []).some((entry) => entry.type === 'explicit');
    if (!decided && !services.some(explicit)) return;
    return together(services, (service) => service.categorySlug, (service) => service.consent.status);
  });
})();
