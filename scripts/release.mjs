/**
 * Makes a release of what is committed here: the version in every place that tells it, the changelog's section, one
 * commit, one tag. Publishes nothing: what is left to do is printed, and everything up to there can be undone.
 * Built-ins and git only.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = `Usage: npm run release -- <version> [--dry-run]

  <version>   semantic version without a v, e.g. 1.2.0 or 2.0.0-rc.1; not below the current one
  --dry-run   say what would be done, and change nothing
  --help      this text

Exit codes: 0 done, 1 not possible as things are, 2 wrong usage`;

/** Where the version is told, and how it stands there. */
const PLACES = [
  ['package.json', (version) => `"version": "${version}"`],
  ['src/version.ts', (version) => `VERSION = '${version}'`],
  ['docs/openapi.json', (version) => `"version": "${version}"`],
  ['docs/asyncapi.json', (version) => `"version": "${version}"`],
  ['docs/getting-started.md', (version) => `"version":"${version}"`],
  ['docs/deployment.md', (version) => `ara:${version}`],
  ['docker-compose.yml', (version) => `ara:${version}`],
  ['deploy/helm/ara/Chart.yaml', (version) => `\nversion: ${version}\n`],
  ['deploy/helm/ara/Chart.yaml', (version) => `appVersion: '${version}'`],
];
const CHANGELOG = 'CHANGELOG.md';
const LOCK = 'package-lock.json';
const IMAGE = 'ara';
const SEMVER = /^(\d+)\.(\d+)\.(\d+)(-[\da-z]+(?:\.[\da-z]+)*)?$/i;

const { version, dryRun } = readArguments();
const current = readJson('package.json').version;
const files = new Map();
prepare();
if (dryRun) report('Would change', 'would make');
else {
  for (const [file, text] of files) writeFileSync(file, text);
  git('add', '--', ...files.keys());
  git('commit', '--quiet', '--message', `chore(release): ${version}`);
  git('tag', '--annotate', `v${version}`, '--message', `Ara ${version}`);
  report('Changed', 'made');
}

function readArguments() {
  try {
    const options = { 'dry-run': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (values.help === true) end(0, USAGE);
    const [given, ...rest] = positionals;
    if (given === undefined || rest.length > 0 || !SEMVER.test(given)) end(2, USAGE);
    return { version: given, dryRun: values['dry-run'] === true };
  } catch (error) {
    return end(2, `${error.message}\n\n${USAGE}`);
  }
}

/** Checks everything before anything is written. */
function prepare() {
  if (order(version, current) < 0) end(1, `${version} is below the current version, ${current}.`);
  if (git('status', '--porcelain') !== '') end(1, 'There are uncommitted changes. Commit or stash them.');
  if (git('tag', '--list', `v${version}`) !== '') end(1, `The tag v${version} is there already.`);
  for (const [file, told] of PLACES) replace(file, told(current), told(version));
  const lock = readJson(LOCK);
  if (lock.version !== current || lock.packages[''].version !== current) end(1, `${LOCK} is not of ${current}.`);
  lock.version = version;
  lock.packages[''].version = version;
  files.set(LOCK, `${JSON.stringify(lock, undefined, 2)}\n`);
  moveUnreleased();
}

function replace(file, from, to) {
  const text = files.get(file) ?? readFileSync(file, 'utf8');
  if (!text.includes(from)) end(1, `${file} does not say ${from.trim()}.`);
  files.set(file, text.replaceAll(from, to));
}

function moveUnreleased() {
  const [before, after] = readFileSync(CHANGELOG, 'utf8').split('## Unreleased\n');
  const changes = after?.split(/^## /m)[0]?.trim() ?? '';
  if (changes === '') end(1, `${CHANGELOG} has nothing under "## Unreleased".`);
  const today = new Date().toISOString().slice(0, 10);
  files.set(CHANGELOG, `${before}## Unreleased\n\n## ${version} – ${today}\n${after}`);
}

function report(changed, made) {
  const tags = imageTags().map((tag) => `${IMAGE}:${tag}`);
  console.log(`${changed}: ${[...files.keys()].join(', ')}`);
  console.log(`Commit and tag v${version}: ${made} on ${git('rev-parse', '--abbrev-ref', 'HEAD')}`);
  console.log(`\nThen, when .ci/run is green:\n  git push --follow-tags`);
  console.log(`  docker build ${tags.map((tag) => `-t ${tag}`).join(' ')} .`);
  for (const tag of tags) console.log(`  docker push ${tag}`);
  if (!dryRun) console.log(`\nTo undo it before that:\n  git tag -d v${version} && git reset --hard HEAD~1`);
}

/** `latest` and the short ones follow releases only, never what comes before one. */
function imageTags() {
  const [, major, minor, , before] = SEMVER.exec(version);
  return before === undefined ? [version, `${major}.${minor}`, major, 'latest'] : [version];
}

/** Below 0 when `a` comes before `b`. */
function order(a, b) {
  const [left, right] = [SEMVER.exec(a), SEMVER.exec(b)];
  for (const part of [1, 2, 3]) if (left[part] !== right[part]) return Number(left[part]) - Number(right[part]);
  if (left[4] === right[4]) return 0;
  if (left[4] === undefined || right[4] === undefined) return left[4] === undefined ? 1 : -1;
  return left[4].localeCompare(right[4], 'en', { numeric: true });
}

function git(...args) {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}

function readJson(file) {
  return JSON.parse(readFileSync(join(process.cwd(), file), 'utf8'));
}

function end(code, text) {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}
