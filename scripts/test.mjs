/**
 * The gate. Runs every check to its end, also after one has failed, and closes with one line that sums them up.
 *
 *   node scripts/test.mjs         what a machine with nothing but Node can run, quickly: the service as one file, and what
 *                                 is done at random a fifth as often
 *   node scripts/test.mjs --all   the service as it is built and shipped; also the minimum of coverage, test/system, which
 *                                 drives servers, a browser and PHP of the distribution, and, where k6 is on the PATH,
 *                                 test/load
 *
 * A check that is not a test run counts as one test. What failed is told once more at the end, where a log is cut last.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const reports = mkdtempSync(join(tmpdir(), 'ara-test-'));
const all = process.argv.includes('--all');
const MINIMUM_COVERAGE = JSON.stringify({ global: { lines: 80, statements: 80, functions: 80, branches: 80 } });

const tool = (bin, ...args) => [join(root, 'node_modules', bin), ...args];
const jest = (...args) => ({ jest: true, command: tool('jest/bin/jest.js', ...args) });
/** As many test files at once as there are cores; three more where it must be quick, because many a test waits. */
const abreast = (...args) => jest('--maxWorkers', String(availableParallelism() + (all ? 0 : 3)), ...args);
const check = (...command) => ({ jest: false, command });

/** Where the service lies as one file, from the root. */
const BUNDLE = 'node_modules/.cache/ara-bundle';

/** Where tests drive parts of the service, and where they drive the whole. */
const INSIDE = ['src', 'test/contract', 'test/protocol'];
const OUTSIDE = ['test/architecture', 'test/e2e', 'test/fault', 'test/support'];

const STEPS = {
  // Also checks the types, of all TypeScript: .oxlintrc.json says so.
  lint: check(...tool('oxlint/bin/oxlint', 'src', 'test')),
  'types of k6': check(...tool('typescript/bin/tsc', '-p', 'k6')),
  boundaries: check(...tool('dependency-cruiser/bin/dependency-cruise.mjs', 'src', 'test')),
  format: check(...tool('oxfmt/bin/oxfmt', '--check', '.')),
  ...(!all && {
    bundle: check('scripts/bundle.mjs', BUNDLE),
    tests: abreast('--roots', ...INSIDE, ...OUTSIDE),
  }),
  ...(all && {
    build: check(...tool('@nestjs/cli/bin/nest.js', 'build')),
    'unit and contract': abreast(
      ...['--roots', ...INSIDE],
      ...['--coverage', '--coverageReporters', 'text-summary', 'lcov', '--coverageThreshold', MINIMUM_COVERAGE],
    ),
    service: abreast('--roots', ...OUTSIDE),
    packages: check('scripts/ensure-packages.mjs'),
    system: jest('--runInBand', '--roots', 'test', '--testPathPatterns', 'test/system/'),
    'load tests': jest('--runInBand', '--roots', 'test/load'),
    speed: check('test/bench/bench.mjs', '--smoke'),
  }),
};

const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const startedAt = Date.now();
if (all) await take('packages');
await Promise.all([take(all ? 'build' : 'bundle'), inTurn('lint', 'types of k6', 'boundaries', 'format')]);
// Each takes all cores. The last one compares times, so nothing runs beside it.
if (all) await inTurn('unit and contract', 'service', 'system', ...(hasK6() ? ['load tests'] : []), 'speed');
else await take('tests');
rmSync(reports, { recursive: true });
if (all && !hasK6())
  console.log('\nNo k6 on the PATH: the load tests were checked, but not run. k6/README.md tells how.');
console.log(`\n${Math.round((Date.now() - startedAt) / 1000)} s`);
for (const failure of failures) console.log(`\nFailed: ${failure}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(failures.length > 0 ? 1 : 0);

async function inTurn(...names) {
  for (const name of names) await take(name);
}

async function take(name) {
  const startedAt = Date.now();
  console.log(`── ${name}`);
  const { passed, failed, skipped, reasons = [] } = await count(name, STEPS[name]);
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  if (failed > 0) failures.push([name, ...reasons].join('\n'));
  console.log(`── ${name}: ${failed > 0 ? 'FAILED' : 'ok'} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
}

/** No distribution packages it, and building it takes minutes. */
function hasK6() {
  return spawnSync('k6', ['version']).status === 0;
}

async function count(name, { jest: isJest, command }) {
  const report = join(reports, `${name.replaceAll(' ', '-')}.json`);
  const succeeded = await run(name, isJest ? [...command, '--json', '--outputFile', report] : command);
  if (!isJest) return { passed: succeeded ? 1 : 0, failed: succeeded ? 0 : 1, skipped: 0 };
  const counted = read(report);
  if (succeeded || counted.failed > 0) return counted;
  return { ...counted, failed: 1, reasons: ['  No test stands for it: coverage below the minimum, or a crash.'] };
}

function read(report) {
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    return {
      passed: result.numPassedTests,
      failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
      skipped: result.numPendingTests + result.numTodoTests,
      reasons: result.testResults.flatMap(reasonsOf),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, reasons: ['  It left no report.'] };
  }
}

/** The tests of a file that failed and the beginning of why; the file itself when it could not be run. */
function reasonsOf({ name, status, message, assertionResults }) {
  const failed = assertionResults.filter((test) => test.status === 'failed');
  if (status === 'failed' && failed.length === 0) return [reason(relative(root, name), message)];
  return failed.map((test) => reason(`${relative(root, name)} › ${test.fullName}`, test.failureMessages.join('\n')));
}

function reason(title, text) {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => !line.includes('node_modules'))
    .slice(0, 12);
  return [`  ${title}`, ...lines.map((line) => `    ${line}`)].join('\n');
}

/** Every line says whose it is. */
function run(name, command) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, {
      env: {
        ...process.env,
        // The service that the tests start is the one that an earlier step has built.
        ARA_TEST_BUILT: all ? 'dist' : BUNDLE,
        // test/support/repeats.ts
        ...(!all && { ARA_TEST_QUICK: '1' }),
      },
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      createInterface({ input: from }).on('line', (line) => to.write(`[${name}] ${line}\n`));
    }
    child.on('error', () => resolve(false));
    // Not 'close': something left behind by a test that failed may hold the pipe open.
    child.on('exit', (code) => resolve(code === 0));
  });
}
