/** How fast Ara is, against its comparisons in the same run. `--help` tells the rest. */
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { picture, table } from './report.mjs';
import { burst, fanOut } from './scenarios/fan-out.mjs';
import { features } from './scenarios/features.mjs';
import { idle } from './scenarios/idle.mjs';
import { sendsBesideBroadcasts, steadySends } from './scenarios/latency.mjs';
import { requests } from './scenarios/requests.mjs';
import { stores } from './scenarios/stores.mjs';
import { triggers } from './scenarios/triggers.mjs';
import { Stage } from './stage.mjs';

const HELP = `npm run bench -- [options]

Measures the built service (npm run build) and its comparisons, each in a process of its own, in rounds that take turns.
What counts is the CPU time that the operating system charges to a server, and its ratio to a comparison in the same run.
Linux only. The whole takes some ten minutes and wants 20,000 file descriptors (ulimit -n).

These take part when they are installed, else the table says so: redis-server and postgres (the tests start the same),
nginx with its module Nchan (Debian: nginx libnginx-mod-nchan), and Centrifugo, on the PATH or named by CENTRIFUGO_BIN.

  --only T1,T6     these targets only; "features" is what queue, acknowledgements and tracing cost
  --smoke          small and short; exit code 1 when a ratio falls far below its target
  --json <file>    figures of all rounds' medians as JSON
  --svg <file>     the picture of docs/benchmarks.md
  --service <file> another main.js than dist/main.js
`;

const SCENARIOS = [
  { ids: ['T1', 'T2', 'T3'], run: fanOut, inSmoke: true },
  { ids: ['T4'], run: burst, inSmoke: true },
  { ids: ['T6', 'T7', 'T8'], run: requests, inSmoke: true },
  { ids: ['T9'], run: sendsBesideBroadcasts },
  { ids: ['T10'], run: steadySends },
  { ids: ['T11'], run: triggers, inSmoke: true },
  { ids: ['T12'], run: stores },
  { ids: ['T13'], run: idle },
  { ids: ['features'], run: features },
];
/** In a smoke test: a busy machine and few clients cost this much of a ratio, a lost technique costs more. */
const SMOKE_TOLERANCE = 0.5;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean' },
    smoke: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'string' },
    svg: { type: 'string' },
    service: { type: 'string', default: fileURLToPath(new URL('../../dist/main.js', import.meta.url)) },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}
if (!existsSync('/proc/self/stat')) fail('This bench reads CPU times from /proc: Linux only.');
if (!existsSync(values.service)) fail(`${values.service} is not there: npm run build`);

const chosen = values.only?.split(',');
const only = (id) => chosen === undefined || chosen.includes(id);
const startedAt = Date.now();
const log = (text) => process.stderr.write(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
const stage = new Stage({ service: values.service, smoke: values.smoke, only, log });
const results = [];
for (const { ids, run, inSmoke } of SCENARIOS) {
  if (!ids.some(only) || (values.smoke && inSmoke !== true)) continue;
  results.push(...(await run(stage)).filter(({ id }) => only(id)).map(judged));
}
stage.close();

const report = {
  ...{ date: new Date().toISOString(), command: process.argv.slice(2).join(' '), smoke: values.smoke },
  ...{ node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, loadAverage: loadavg() },
  seconds: Math.round((Date.now() - startedAt) / 1000),
  results,
};
process.stdout.write(`${table(report)}\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
if (values.svg !== undefined) writeFileSync(values.svg, picture(results));
const farOff = values.smoke ? results.filter(({ isFarOff }) => isFarOff) : [];
for (const { id, what, value } of farOff) process.stderr.write(`Far below its target: ${id}, ${what}: ${value}\n`);
process.exit(farOff.length > 0 ? 1 : 0);

/** Absolute times say more about the machine than about the service: a smoke test does not judge by them. */
function judged(result) {
  const { value, atLeast, atMost, isAbsolute = false } = result;
  if (value === undefined) return result;
  const share = atLeast !== undefined ? value / atLeast : atMost !== undefined ? atMost / value : undefined;
  return {
    ...result,
    isMet: share === undefined ? undefined : share >= 1,
    isFarOff: !isAbsolute && share < SMOKE_TOLERANCE,
  };
}

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
