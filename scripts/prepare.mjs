/**
 * Runs before `npm start`: makes a fresh clone on a machine with nothing but Node ready to run, and does nothing the
 * second time. Built-ins only, because it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const BUILD_INPUTS = ['src', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json'];

checkNode();
installPackages();
if (!process.argv.includes('--install-only')) {
  writeSecrets();
  build();
}

function checkNode() {
  const wanted = readJson('package.json').engines.node.replace('>=', '').split('.').map(Number);
  const found = process.versions.node.split('.').map(Number);
  const tooOld = found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1]);
  if (tooOld) fail(`Ara needs Node.js ${wanted.join('.')} or newer; this is ${process.version}.`);
}

/** Compares what npm wrote down about node_modules with the lock; packages that a platform may lack are left out. */
function installPackages() {
  const wanted = Object.entries(readJson('package-lock.json').packages);
  const installed = readJson('node_modules/.package-lock.json')?.packages ?? {};
  const isRight = ([path, entry]) =>
    path === '' || entry.optional || entry.devOptional || installed[path]?.version === entry.version;
  if (wanted.every(isRight)) return;
  say('Installing packages (once; about half a minute) …');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  if (npm === undefined) run('npm', args, { shell: process.platform === 'win32' });
  else run(process.execPath, [npm, ...args]);
}

/** Never overwrites, and leaves those alone who configure by the environment. */
function writeSecrets() {
  if (process.env.JWT_SECRET || /^prod/i.test(process.env.RUN_MODE ?? '')) return;
  const secret = () => randomBytes(32).toString('base64url');
  const text =
    '# Written by the first `npm start`, for this machine only. .env.example names every other setting.\n' +
    `JWT_SECRET=${secret()}\nAPI_KEY=${secret()}\n`;
  try {
    writeFileSync(join(root, '.env'), text, { mode: 0o600, flag: 'wx' });
    say('Wrote .env with a random JWT_SECRET and API_KEY.');
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}

function build() {
  const main = join(root, 'dist/main.js');
  const builtAt = existsSync(main) ? statSync(main).mtimeMs : 0;
  if (BUILD_INPUTS.every((input) => newest(join(root, input)) <= builtAt)) return;
  say('Building …');
  run(process.execPath, [join(root, 'node_modules/@nestjs/cli/bin/nest.js'), 'build']);
}

/** The last change in a file or folder, in ms since 1970. A folder's own time tells of files that are gone. */
function newest(path) {
  const { mtimeMs } = statSync(path);
  const entries = statSync(path).isDirectory() ? readdirSync(path) : [];
  return Math.max(
    mtimeMs,
    ...entries.filter((name) => !name.includes('.spec.')).map((name) => newest(join(path, name))),
  );
}

function readJson(file) {
  const path = join(root, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (status !== 0) fail(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
