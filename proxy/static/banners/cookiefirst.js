/** CookieFirst. */
guard(banner)('cookiefirst', ['cf_init', 'cf_consent'], () => (window.CookieFirst || {}).consent);
