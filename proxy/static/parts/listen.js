/** Listens on the window before anybody else, changes nothing, and keeps its faults from the page. */
var listen = (type, work) => {
  window.addEventListener(
    type,
    (event) => {
      try {
        work(event);
      } catch (error) {
        console.warn(type, error);
      }
    },
    { capture: true, passive: true }
  );
};
