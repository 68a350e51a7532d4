/**
 * IAB's Global Privacy Platform, its US sections: did the visitor opt out of sale, sharing or targeted advertising?
 *
 * Read when the banner says that its signals are ready, and only where a US section applies. One opt-out in any section
 * refuses `sale`; "did not opt out" and nothing else grants it. Consent under the GDPR (section tcfeuv2) is for `tcf`.
 */
guard(() => {
  const OPTED_OUT = 1;
  const DID_NOT = 2;
  // usnat and the states; 6 is the old US Privacy string.
  const FIRST_US_SECTION = 7;
  const US = /^us(?!pv1)/;
  const OPT_OUTS = ['SaleOptOut', 'SharingOptOut', 'TargetedAdvertisingOptOut'];

  function tell({ pingData }) {
    const { signalStatus, applicableSections, parsedSections } = pingData || {};
    if (signalStatus !== 'ready' || !(applicableSections || []).some((id) => id >= FIRST_US_SECTION)) return;
    let sale;
    for (const name in parsedSections) {
      if (!US.test(name)) continue;
      // A section is one object, or a list of its parts.
      for (const part of [].concat(parsedSections[name])) {
        for (const field of OPT_OUTS) {
          if (part[field] === OPTED_OUT) sale = false;
          if (part[field] === DID_NOT && sale !== false) sale = true;
        }
        if (part.Gpc === true) sale = false;
      }
    }
    if (sale !== undefined) firsthand.consent({ sale, source: 'gpp' });
  }

  iab('__gpp', ['addEventListener'], tell);
})();
