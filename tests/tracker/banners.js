// Stand-ins for consent banners: each does on the page what the real one does, as far as a page can see it.
//
// `install(said)` is the banner's script arriving, with what a returning visitor said before ({marketing, analytics}) or
// nothing; `decide(said)` is the visitor's click. Before a decision some banners announce their defaults like decisions:
// the stand-ins do that too, with everything granted.
window.banners = (() => {
  const fire = (target, type, detail) => target.dispatchEvent(new CustomEvent(type, { detail }));
  const allowed = (said, yes, no) => ({ marketing: said.marketing ? yes : no, analytics: said.analytics ? yes : no });
  const GRANTED = { marketing: true, analytics: true };

  const cookiebot = {
    install(said) {
      window.Cookiebot = { hasResponse: false, consent: { necessary: true, statistics: true, marketing: true, method: 'implied' } };
      if (said) this.decide(said);
      else fire(window, 'CookiebotOnConsentReady');
    },
    decide({ marketing, analytics }) {
      Cookiebot.hasResponse = true;
      Cookiebot.consent = { necessary: true, preferences: false, statistics: analytics, marketing, method: 'explicit' };
      fire(window, marketing || analytics ? 'CookiebotOnAccept' : 'CookiebotOnDecline');
      fire(window, 'CookiebotOnConsentReady');
    },
  };

  const onetrust = {
    closed: false,
    install(said) {
      const Groups = ['C0001', 'C0002', 'C0003', 'C0004'].map((CustomGroupId) => ({ CustomGroupId }));
      window.OneTrust = { IsAlertBoxClosed: () => this.closed, GetDomainData: () => ({ Groups }) };
      this.announce(said || GRANTED, !!said);
    },
    decide(said) {
      this.announce(said, true);
    },
    announce({ marketing, analytics }, closed) {
      this.closed = closed;
      window.OnetrustActiveGroups = `,C0001,${analytics ? 'C0002,' : ''}${marketing ? 'C0004,' : ''}`;
      if (window.OptanonWrapper) OptanonWrapper();
      fire(window, 'OneTrustGroupsUpdated', OnetrustActiveGroups.split(','));
    },
  };

  const usercentrics2 = {
    install(said) {
      this.set(said || GRANTED, said ? 'explicit' : 'implicit');
      window.UC_UI = { isInitialized: () => true, isConsentRequired: () => !said, getServicesBaseInfo: () => this.services };
      fire(window, 'UC_UI_INITIALIZED');
    },
    decide(said) {
      this.set(said, 'explicit');
      fire(window, 'UC_UI_CMP_EVENT', { source: 'button', type: said.marketing && said.analytics ? 'ACCEPT_ALL' : 'SAVE' });
    },
    set({ marketing, analytics }, type) {
      const service = (categorySlug, status) => ({ categorySlug, consent: { status, history: [{ type, status }] } });
      // Two services of one category that were decided differently: the category is refused.
      this.services = [
        service('essential', true),
        service('marketing', true),
        service('marketing', marketing),
        service('analytics', analytics),
      ];
    },
  };

  const usercentrics3 = {
    install(said) {
      this.set(said || GRANTED, said ? 'EXPLICIT' : 'IMPLICIT');
      window.__ucCmp = { isInitialized: async () => true, getConsentDetails: async () => this.details };
      fire(window, 'UC_UI_INITIALIZED');
    },
    decide(said) {
      this.set(said, 'EXPLICIT');
      fire(window, 'UC_UI_CMP_EVENT', { source: 'FIRST_LAYER', type: said.marketing && said.analytics ? 'ACCEPT_ALL' : 'SAVE' });
    },
    set({ marketing, analytics }, type) {
      const service = (category, given) => ({ name: category, category, consent: { given, type } });
      const services = { a: service('essential', true), b: service('marketing', marketing), c: service('analytics', analytics) };
      this.details = { consent: { type, status: 'SOME_ACCEPTED' }, services };
    },
  };

  const cookiefirst = {
    install(said) {
      window.CookieFirst = { consent: null };
      if (said) this.set(said);
      fire(window, 'cf_init');
    },
    decide(said) {
      this.set(said);
      fire(window, 'cf_consent', CookieFirst.consent);
    },
    set({ marketing, analytics }) {
      CookieFirst.consent = { necessary: true, performance: analytics, functional: false, advertising: marketing };
    },
  };

  const didomi = {
    install(said) {
      this.said = said;
      window.Didomi = {
        shouldUserStatusBeCollected: () => !this.said,
        getCurrentUserStatus: () => {
          const { marketing, analytics } = this.said || GRANTED;
          const purposes = {};
          for (const id of ['create_ads_profile', 'select_personalized_ads', 'measure_ad_performance']) purposes[id] = { id, enabled: marketing };
          for (const id of ['measure_content_performance', 'market_research']) purposes[id] = { id, enabled: analytics };
          return { purposes, vendors: {} };
        },
      };
      for (const ready of window.didomiOnReady || []) ready(Didomi);
      window.didomiOnReady = { push: (ready) => ready(Didomi) };
    },
    decide(said) {
      this.said = said;
      for (const { event, listener } of window.didomiEventListeners || []) if (event === 'consent.changed') listener({ action: 'click' });
    },
  };

  const klaro = {
    watchers: new Set(),
    install(said) {
      const services = [
        { name: 'pixel', purposes: ['marketing'] },
        { name: 'stats', purposes: ['analytics'] },
        { name: 'shop', purposes: [] },
      ];
      this.manager = {
        config: { services },
        confirmed: !!said,
        watch: (watcher) => this.watchers.add(watcher),
        getConsent: (name) => !!{ pixel: this.said.marketing, stats: this.said.analytics, shop: true }[name],
      };
      this.said = said || GRANTED;
      window.klaro = { getManager: () => this.manager };
    },
    decide(said) {
      this.said = said;
      this.manager.confirmed = true;
      for (const watcher of this.watchers) for (const name of ['consents', 'saveConsents']) watcher.update(this.manager, name, {});
    },
  };

  const cookieconsent = {
    install(said) {
      window.CookieConsent = { validConsent: () => !!this.said, getUserPreferences: () => this.preferences() };
      if (said) this.decide(said, 'cc:onConsent');
    },
    decide(said, type = 'cc:onChange') {
      this.said = said;
      fire(window, type, { cookie: { categories: this.preferences().acceptedCategories, services: { necessary: [], analytics: [], ads: [] } } });
    },
    preferences() {
      const state = { necessary: true, ads: this.said.marketing, analytics: this.said.analytics };
      const names = Object.keys(state);
      return { acceptedCategories: names.filter((name) => state[name]), rejectedCategories: names.filter((name) => !state[name]) };
    },
  };

  // The same banner, bundled into the site: only its events are to be seen.
  const cookieconsentBundled = {
    __proto__: cookieconsent,
    install() {},
  };

  const cookieyes = {
    install(said) {
      this.said = said;
      window.getCkyConsent = () => {
        const { marketing, analytics } = this.said || GRANTED;
        return { categories: { necessary: true, analytics, advertisement: marketing }, isUserActionCompleted: !!this.said };
      };
      fire(document, 'cookieyes_banner_load', getCkyConsent());
    },
    decide(said) {
      this.said = said;
      const { categories } = getCkyConsent();
      const names = Object.keys(categories);
      fire(document, 'cookieyes_consent_update', {
        accepted: names.filter((name) => categories[name]),
        rejected: names.filter((name) => !categories[name]),
      });
    },
  };

  const complianz = {
    install(said) {
      this.said = said;
      window.cmplz_has_consent = (category) => {
        const { marketing, analytics } = this.said || GRANTED;
        return { functional: true, marketing, statistics: analytics }[category];
      };
      window.cmplz_get_banner_status = () => (this.said ? 'dismissed' : 'show');
      fire(document, 'cmplz_fire_categories', { categories: ['functional'] });
    },
    decide(said) {
      this.said = said;
      fire(document, said.marketing || said.analytics ? 'cmplz_status_change' : 'cmplz_revoke', { category: 'marketing' });
    },
  };

  const shopify = {
    install(said) {
      this.said = said;
      window.Shopify = {
        customerPrivacy: {
          currentVisitorConsent: () => ({
            ...(this.said ? allowed(this.said, 'yes', 'no') : { marketing: '', analytics: '' }),
            preferences: '',
            sale_of_data: '',
          }),
        },
      };
      fire(document, 'shopifyCustomerPrivacyApiLoaded');
    },
    decide(said) {
      this.said = said;
      fire(document, 'visitorConsentCollected', { marketingAllowed: said.marketing, analyticsAllowed: said.analytics });
    },
  };

  const wordpress = {
    cookies: {},
    install(said) {
      window.consent_api = { cookie_prefix: 'wp_consent', consent_type: 'optout' };
      window.consent_api_get_cookie = (name) => this.cookies[name] || '';
      if (said) this.decide(said);
    },
    decide(said) {
      const { marketing, analytics } = allowed(said, 'allow', 'deny');
      for (const [category, value] of Object.entries({ marketing, statistics: analytics })) {
        this.cookies[`wp_consent_${category}`] = value;
        const detail = [];
        detail[category] = value;
        fire(document, 'wp_listen_for_consent_change', detail);
      }
    },
  };

  const tcf = {
    listeners: [],
    install(said) {
      window.__tcfapi = (command, version, callback) => {
        if (command !== 'addEventListener') return callback(null, false);
        this.listeners.push(callback);
        callback(this.data || { gdprApplies: undefined, cmpStatus: 'loading' }, true);
      };
      this.announce(said ? 'tcloaded' : 'cmpuishown', said || { marketing: false, analytics: false });
    },
    decide(said) {
      this.announce('useractioncomplete', said);
    },
    announce(eventStatus, { marketing, analytics }) {
      const consents = { 2: true, 1: marketing || analytics };
      for (const purpose of [3, 4, 7]) consents[purpose] = marketing;
      for (const purpose of [8, 9, 10]) consents[purpose] = analytics;
      const legitimateInterests = { 7: true, 8: true, 9: true, 10: true };
      const vendor = { consents: { 755: true }, disclosedVendors: { 755: true }, ...this.vendor };
      this.data = { gdprApplies: true, eventStatus, tcString: 'CQ…', purpose: { consents, legitimateInterests }, vendor, ...this.more };
      for (const listener of this.listeners) listener(this.data, true);
    },
  };

  const gcm = {
    install(said) {
      window.dataLayer = window.dataLayer || [];
      const denied = { ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied', analytics_storage: 'denied' };
      const granted = { ad_storage: 'granted', ad_user_data: 'granted', analytics_storage: 'granted' };
      this.gtag('consent', 'default', { ...denied, region: ['DE'], wait_for_update: 500 });
      this.gtag('consent', 'default', granted);
      if (said) this.decide(said);
    },
    decide(said) {
      const { marketing, analytics } = allowed(said, 'granted', 'denied');
      this.gtag('consent', 'update', { ad_storage: marketing, ad_user_data: marketing, analytics_storage: analytics });
    },
    gtag() {
      dataLayer.push(arguments);
    },
  };

  return {
    cookiebot, onetrust, usercentrics2, usercentrics3, cookiefirst, didomi, klaro, cookieconsent, cookieconsentBundled,
    cookieyes, complianz, shopify, wordpress, tcf, gcm,
  };
})();
