/**
 * Lists the licences of everything that a production installation contains, and fails on one that is not allowed here.
 * Reads the lock and node_modules only; needs no network.
 *
 *   npm run licenses               one line per licence
 *   npm run licenses -- --json     every package, as JSON
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** They ask for no more than that their text goes along. Copyleft, and what nobody has read, is decided by people first. */
const ALLOWED = new Set([
  ...['MIT', 'MIT-0', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0'],
  ...['BlueOak-1.0.0', 'CC0-1.0', 'Unlicense', 'Zlib', 'PostgreSQL', 'Python-2.0'],
]);

if (process.argv.includes('--help')) {
  console.log('Usage: npm run licenses [-- --json]\nExit codes: 0 all allowed, 1 something is not.');
  process.exit(0);
}

const root = process.cwd();
const { packages } = readJson('package-lock.json');
const found = Object.entries(packages)
  .filter(([path, entry]) => path !== '' && entry.dev !== true && entry.link !== true)
  .map(([path, entry]) => ({ path, version: entry.version, license: entry.license ?? licenseOf(path) }));
const refused = found.filter(({ license }) => !isAllowed(license));

if (process.argv.includes('--json')) console.log(JSON.stringify(found, undefined, 2));
else printSummary();
for (const { path, version, license } of refused) {
  console.error(`Not allowed: ${path}@${version} has ${license ?? 'no licence that can be found'}`);
}
process.exitCode = refused.length > 0 ? 1 : 0;

function printSummary() {
  const counts = new Map();
  for (const { license } of found) counts.set(license, (counts.get(license) ?? 0) + 1);
  const line = (count, text) => console.log(`${String(count).padStart(4)}  ${text}`);
  for (const [license, count] of [...counts].sort(([, a], [, b]) => b - a)) line(count, license ?? '(none)');
  line(found.length, `packages of a production installation, ${refused.length} not allowed`);
}

/** Old packages say it in `licenses`, and the lock does not repeat that. */
function licenseOf(path) {
  const manifest = join(path, 'package.json');
  if (!existsSync(join(root, manifest))) return undefined;
  const { license, licenses } = readJson(manifest);
  if (Array.isArray(licenses)) return licenses.map(({ type }) => type).join(' OR ');
  return typeof license === 'object' && license !== null ? license.type : license;
}

/** SPDX: one of the alternatives must be allowed as a whole. No nesting occurs; what is nested is refused. */
function isAllowed(license) {
  if (typeof license !== 'string') return false;
  const alternatives = license.replace(/^\((.*)\)$/, '$1').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every((name) => ALLOWED.has(name)));
}

function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8'));
}
