/**
 * IAB Europe's Transparency and Consent Framework, 2.2 and 2.3: what the visitor said in any banner that speaks it.
 *
 * Counts once the banner has an answer, new or from an earlier visit, and only where it says that the GDPR applies;
 * while that is undecided events wait. Where the GDPR does not apply nothing is said, and the configured default counts.
 * A purpose of ours is granted when all listed TCF purposes have *consent*; a legitimate interest is none. Marketing
 * also needs the consent for `vendor`, if one is configured, and that the banner showed that vendor (2.3).
 *
 * @param {{marketing: number[], analytics: number[], personalization: number[], vendor: number | null}} settings
 */
guard((settings) => {
  function vendorAllowed({ consents = {}, disclosedVendors }) {
    const id = settings.vendor;
    return !id || !!(consents[id] && (!disclosedVendors || disclosedVendors[id]));
  }

  function tell(data) {
    if (data.gdprApplies !== true || !/^(tcloaded|useractioncomplete)$/.test(data.eventStatus)) return;
    const all = (purposes) => purposes.every((purpose) => data.purpose.consents[purpose] === true);
    firsthand.consent({
      marketing: all(settings.marketing) && vendorAllowed(data.vendor || {}),
      analytics: all(settings.analytics),
      personalization: all(settings.personalization),
      source: 'tcf',
    });
  }

  iab('__tcfapi', ['addEventListener', 2], tell);
})(__SETTINGS__);
