// Never run: `tsc` reads it. A page with the script's tag, typed by one import.
import 'firsthand-tracker/global';

window.firsthandConfig = { pageViews: false };
firsthand('track', 'purchase', { value: 1, currency: 'EUR' });
const id: string | undefined = window.firsthand.track?.('lead');
// @ts-expect-error there is no such command
firsthand('tarck', 'lead');

export { id };
