/** Cookiebot. Implied consent (scrolling on, where Cookiebot is set so) is no decision. */
guard(banner)('cookiebot', ['CookiebotOnConsentReady', 'CookiebotOnAccept', 'CookiebotOnDecline'], () => {
  const { consent, hasResponse } = window.Cookiebot || {};
  if (hasResponse && consent.method !== 'implied') return consent;
});
