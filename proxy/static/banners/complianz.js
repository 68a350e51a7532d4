/** Complianz for WordPress. Before its notice is dismissed, or the status changes, it only tells the defaults. */
guard(banner)('complianz', ['cmplz_fire_categories', 'cmplz_status_change', 'cmplz_revoke', 'load'], ({ type }) => {
  const { cmplz_has_consent: has, cmplz_get_banner_status: status } = window;
  if (!has || (!/change|revoke/.test(type) && (!status || status() !== 'dismissed'))) return;
  return { marketing: has('marketing'), statistics: has('statistics') };
});
