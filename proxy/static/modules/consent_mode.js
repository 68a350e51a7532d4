/**
 * Google's Consent Mode, version 2: what `gtag('consent', 'update', …)` says in the dataLayer counts here as well.
 *
 * A 'default' is nobody's decision, wherever it holds (`region`) and however long it waits (`wait_for_update`): it is
 * not read, and until an update comes events wait or follow the configured default. An update may name some signals
 * only; those named before keep their state.
 *
 *     marketing          ad_storage and ad_user_data; one refusal of the two refuses
 *     personalization    ad_personalization
 *     analytics          analytics_storage
 *
 * @param {{name: string}} settings
 */
guard((settings) => {
  const { assign } = Object;
  const said = {};

  /** @returns {string | undefined} denied as soon as one is, granted when one is and none is denied */
  function both(one, other) {
    return one === 'denied' ? one : other || one;
  }

  function read(entry) {
    if (!entry || entry[0] !== 'consent' || entry[1] !== 'update' || !entry[2]) return;
    assign(said, entry[2]);
    firsthand.consent({
      marketing: both(said.ad_storage, said.ad_user_data),
      personalization: said.ad_personalization,
      analytics: said.analytics_storage,
      source: 'gcm',
    });
  }

  readLayer(settings.name, read);
})(__SETTINGS__);
