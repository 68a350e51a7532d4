/** CookieYes. */
guard(banner)('cookieyes', ['cookieyes_banner_load', 'cookieyes_consent_update', 'load'], ({ type, detail }) => {
  if (type === 'cookieyes_consent_update') {
    const states = {};
    for (const name of detail.accepted) states[name] = true;
    for (const name of detail.rejected) states[name] = false;
    return states;
  }
  const { categories, isUserActionCompleted } = window.getCkyConsent ? window.getCkyConsent() : detail || {};
  if (isUserActionCompleted) return categories;
});
