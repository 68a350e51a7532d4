/** Shopify's Customer Privacy API, which every banner for Shopify has to tell. An empty text is no decision. */
guard(banner)('shopify', ['visitorConsentCollected', 'shopifyCustomerPrivacyApiLoaded', 'load'], () => {
  const { customerPrivacy } = window.Shopify || {};
  if (!customerPrivacy) return;
  const said = { yes: true, no: false };
  const { marketing, analytics, sale_of_data: sale } = customerPrivacy.currentVisitorConsent();
  return { marketing: said[marketing], analytics: said[analytics], sale: said[sale] };
});
