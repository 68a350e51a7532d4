/** OneTrust and CookiePro. Groups that are not active are refused; the site's own OptanonWrapper is kept. */
guard(() => {
  const own = window.OptanonWrapper;

  const look = banner('onetrust', ['OneTrustGroupsUpdated', 'load'], () => {
    const { OneTrust, OnetrustActiveGroups } = window;
    // Defaults are announced like decisions; only then the notice is closed.
    if (!OneTrust || !OneTrust.IsAlertBoxClosed()) return;
    const active = (OnetrustActiveGroups || '').split(',');
    const states = {};
    for (const { CustomGroupId } of OneTrust.GetDomainData().Groups) states[CustomGroupId] = active.includes(CustomGroupId);
    return states;
  });

  window.OptanonWrapper = function () {
    look();
    return own && own.apply(this, arguments);
  };
})();
