/** CookieConsent by orestbida, version 3. The categories are named by the site. */
guard(banner)('cookieconsent', ['cc:onFirstConsent', 'cc:onConsent', 'cc:onChange', 'load'], ({ detail }) => {
  const { CookieConsent } = window;
  const { cookie } = detail || {};
  const states = {};
  if (CookieConsent && CookieConsent.validConsent()) {
    const { acceptedCategories, rejectedCategories } = CookieConsent.getUserPreferences();
    for (const name of rejectedCategories) states[name] = false;
    for (const name of acceptedCategories) states[name] = true;
  } else if (cookie) {
    // Bundled with the site it has no global. What it has stored lists services under every category, accepted or not.
    for (const name in cookie.services) states[name] = false;
    for (const name of cookie.categories) states[name] = true;
  }
  return states;
});
