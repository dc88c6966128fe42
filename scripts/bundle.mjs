/**
 * Joins the sources of the service, and of its command line, with all that they load: two files in the folder that is
 * given.
 *
 *   node scripts/bundle.mjs <folder>
 *
 * For tests that start them a hundred times. A start from dist/ reads and compiles two thousand files, which costs more
 * than a second of a core; from one file, with what V8 has compiled at the first start kept beside it, it is half of that.
 * Nothing is published from here: that is `npm run build`.
 */
import { transform } from '@swc/core';
import { build } from 'esbuild';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import jest from '../jest.config.cjs';

const [[, swc]] = Object.values(jest.transform);
const root = fileURLToPath(new URL('..', import.meta.url));
const [folder] = process.argv.slice(2);
if (folder === undefined || folder.startsWith('-')) {
  console.error('Usage: node scripts/bundle.mjs <folder>');
  process.exit(folder === '--help' ? 0 : 2);
}
const target = resolve(folder);
rmSync(target, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { 'main.bundle': 'src/main.ts', 'cli/main.bundle': 'src/cli/main.ts' },
  outdir: target,
  bundle: true,
  platform: 'node',
  target: 'node20',
  // Nest names what it logs by the classes.
  keepNames: true,
  // V8's cache knows no import().
  supported: { 'dynamic-import': false },
  plugins: [{ name: 'as the tests compile it, where it lies', setup: compile }],
  logLevel: 'warning',
});
for (const name of ['main', 'cli/main']) {
  mkdirSync(dirname(join(target, name)), { recursive: true });
  const file = JSON.stringify(join(target, `${name}.bundle.js`));
  writeFileSync(join(target, `${name}.js`), `(${start.toString()})(require, module, ${file});\n`);
}

/** Each file knows its folder, and asks for what is not installed only when it is run. */
function compile({ onLoad, onResolve }) {
  onLoad({ filter: /\.ts$/ }, async ({ path }) => {
    const options = { ...swc, module: { type: 'commonjs', ignoreDynamic: true }, sourceMaps: false, swcrc: false };
    const { code } = await transform(await readFile(path, 'utf8'), { ...options, filename: path });
    return { contents: placed(code, path), loader: 'js' };
  });
  onLoad({ filter: /\.c?js$/ }, async ({ path }) => ({
    contents: placed(await readFile(path, 'utf8'), path),
    loader: 'js',
  }));
  onResolve({ filter: /^[^./]/ }, ({ path, importer }) => {
    try {
      createRequire(importer === '' ? import.meta.url : importer).resolve(path);
      return undefined;
    } catch {
      return { path, external: true };
    }
  });
}

function placed(code, path) {
  if (!/\b__(dirname|filename)\b/.test(code)) return code;
  const place = `const __dirname = ${JSON.stringify(dirname(path))}, __filename = ${JSON.stringify(path)};`;
  return code.replace(/^("use strict";)?/, `$1${place}`);
}

/** Runs a bundle; the first run leaves behind what V8 has compiled by its end. */
function start(require, module, file) {
  const { readFileSync, renameSync, writeFileSync } = require('node:fs');
  const { Script } = require('node:vm');
  const cache = `${file}.cache`;
  let cachedData;
  try {
    cachedData = readFileSync(cache);
  } catch {
    process.once('exit', () => {
      writeFileSync(`${cache}.${process.pid}`, script.createCachedData());
      renameSync(`${cache}.${process.pid}`, cache);
    });
  }
  const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`;
  const script = new Script(source, { filename: file, cachedData });
  script.runInThisContext()(module.exports, require, module, file, '');
}
