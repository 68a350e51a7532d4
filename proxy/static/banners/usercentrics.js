/** Usercentrics, version 3 (`__ucCmp`) and version 2 (`UC_UI`). A category is granted when all its services are. */
guard(banner)('usercentrics', ['UC_UI_INITIALIZED', 'UC_UI_CMP_EVENT', 'load'], async ({ detail }) => {
  const { __ucCmp, UC_UI } = window;
  const states = {};
  // ACCEPT_ALL, DENY_ALL, SAVE; the other types are about windows and links.
  let decided = /_ALL$|^SAVE$/.test((detail || {}).type);

  function add(category, given) {
    states[category] = states[category] !== false && !!given;
  }

  if (__ucCmp) {
    const { consent, services } = await __ucCmp.getConsentDetails();
    decided = decided || consent.type === 'EXPLICIT';
    for (const id in services) add(services[id].category, (services[id].consent || {}).given);
  } else if (UC_UI && UC_UI.isInitialized()) {
    for (const { categorySlug, consent } of UC_UI.getServicesBaseInfo()) {
      decided = decided || (consent.history || []).some((entry) => entry.type === 'explicit');
      add(categorySlug, consent.status);
    }
  }
  if (decided) return states;
});
