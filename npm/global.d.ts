/**
 * For pages that load the script by its tag: `import 'firsthand-tracker/global'` in a declaration file, and the global
 * function and `firsthandConfig` have their types.
 */
import type { Config, Firsthand, Loaded } from './dist/index.js';

declare global {
  interface Window {
    firsthand: Firsthand & Partial<Loaded>;
    firsthandConfig?: Config;
  }
  var firsthand: Window['firsthand'];
}
