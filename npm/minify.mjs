// Writes proxy/static/built/: a minified copy of every script in proxy/static/, with the hash of its source in the first
// line. The collector uses a copy only while its source is unchanged (proxy/collector/compose.py).
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const STATIC = fileURLToPath(new URL('../proxy/static/', import.meta.url));
const BUILT = join(STATIC, 'built');

const inside = (folder) =>
  readdirSync(join(STATIC, folder))
    .filter((file) => file.endsWith('.js'))
    .map((file) => join(folder, file));
rmSync(BUILT, { recursive: true, force: true });
for (const name of ['tracker.js', ...inside('parts'), ...inside('modules'), ...inside('banners')]) {
  const source = readFileSync(join(STATIC, name));
  const { code } = transformSync(source, { minify: true, target: 'es2017', legalComments: 'none' });
  mkdirSync(dirname(join(BUILT, name)), { recursive: true });
  writeFileSync(join(BUILT, name), `// ${createHash('sha256').update(source).digest('hex')}\n${code.trimEnd()}`);
}
