/**
 * Enhanced match from form fields that somebody marked for it: `<input type="email" data-fh-match="email">`.
 *
 * Read when the form is sent, and only while marketing is granted at that moment; then it is as if the page had called
 * `identify`. Fields without the mark are never looked at, passwords not even with it.
 */
guard(() => {
  on(window, 'submit', (event) => {
    if (firsthand.consent().marketing !== 'granted') return;
    const user = {};
    for (const { dataset, type, value, checked } of event.target.elements) {
      const key = dataset.fhMatch;
      const chosen = checked || !/^(radio|checkbox)$/.test(type);
      if (key && type !== 'password' && value && chosen) user[key] = value;
    }
    firsthand.identify(user);
  });
})();
