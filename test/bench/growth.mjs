/** How cost grows with what there is of everything. `--help` tells the rest. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { STUDIES } from './growth/studies.mjs';
import { growthTable, judged } from './growth/verdict.mjs';
import { Stage } from './stage.mjs';

const HELP = `npm run bench:growth -- [options]

Measures what one operation costs, and what one thing weighs, while there are more and more of it: connections, connections of
one user, channels of a connection, subscribers of a channel, queued entries of a user, tenants. What does not depend on their
number stays flat; a quadratic corner shows as a cost that grows in proportion.
Linux only. Some ten minutes on a quiet machine.

  --only connections,tenants   these studies only: ${Object.keys(STUDIES).join(', ')}
  --max <n>        most connections (default: 1,000 less than open files allowed by ulimit -n, at most 27,000, for each needs a port)
  --json <file>    the figures as JSON
  --service <file> another main.js than dist/main.js

The exit code is 1 when a cost per operation grew with the square root of the number, or faster.`;

const SPARE_FILES = 1000;
const MOST_PORTS = 27_000;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean' },
    only: { type: 'string' },
    max: { type: 'string' },
    json: { type: 'string' },
    service: { type: 'string', default: fileURLToPath(new URL('../../dist/main.js', import.meta.url)) },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit();
}
if (!existsSync('/proc/self/stat')) fail('This bench reads CPU times from /proc: Linux only.');
if (!existsSync(values.service)) fail(`${values.service} is not there: npm run build`);
const chosen = values.only?.split(',') ?? Object.keys(STUDIES);
const unknown = chosen.find((name) => STUDIES[name] === undefined);
if (unknown !== undefined) fail(`There is no study ${unknown}: ${Object.keys(STUDIES).join(', ')}`);

const startedAt = Date.now();
const log = (text) => process.stderr.write(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
const stage = new Stage({ service: values.service, smoke: false, max: Number(values.max ?? mostConnections()), log });
const studies = [];
for (const name of chosen) {
  log(name);
  studies.push(...(await STUDIES[name](stage)).map(judged));
  await stage.end();
}
stage.close();

const report = {
  ...{ date: new Date().toISOString(), command: process.argv.slice(2).join(' ') },
  ...{ node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, loadAverage: loadavg() },
  ...{ seconds: Math.round((Date.now() - startedAt) / 1000), studies },
};
process.stdout.write(`${growthTable(report)}\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
process.exit(studies.some(({ steep }) => steep.length > 0) ? 1 : 0);

function mostConnections() {
  const openFiles = Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
  return Math.min(openFiles - SPARE_FILES, MOST_PORTS);
}

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
