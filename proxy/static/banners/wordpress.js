/** The WP Consent API, which many banners for WordPress tell. What it assumes where nobody decided is not asked for. */
guard(banner)('wordpress', ['wp_listen_for_consent_change', 'load'], () => {
  const { consent_api: api, consent_api_get_cookie: get } = window;
  if (!api || !get) return;
  const said = { allow: true, deny: false };
  const state = (category) => said[get(api.cookie_prefix + '_' + category)];
  return { marketing: state('marketing'), statistics: state('statistics') };
});
