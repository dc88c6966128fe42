import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AraProcess } from '../../support/ara-process';
import { scrape } from '../../support/metrics';
import { until } from '../../support/until';

const FILE = 'vitals.jsonl';
/** A collector of garbage on a busy machine. */
const ANSWER_MS = 30_000;

/** For the environment of the service: makes it tell about itself. */
export function vitalsEnv(folder: string): Record<string, string> {
  return { NODE_OPTIONS: `--require ${join(__dirname, 'inside.cjs')}`, SOAK_VITALS: join(folder, FILE) };
}

export interface Delays {
  readonly p99Ms: number;
  /** Less the time in which the machine had no core for it. */
  readonly ownP99Ms: number;
}

/** What inside.cjs writes. */
interface Told {
  readonly rss: number;
  readonly heapUsed: number;
  /** Delays of the event loop since the last look. */
  readonly loop: Delays;
  /** Since the first look. */
  readonly whole: Delays;
  readonly resources: Readonly<Record<string, number>>;
}

export interface Vitals extends Told {
  /** Seconds since the soak began. */
  readonly at: number;
  readonly openFiles: number;
  /** How long the process waited for a core so far, in ms: what the machine's other work took from it. */
  readonly waitedMs: number;
  /** What the registry, the queue and the acknowledgements count. */
  readonly counts: Readonly<Record<string, number>>;
}

const COUNTS = [
  'ara_connections_total',
  'ara_users_connected',
  'ara_channels_active',
  'ara_queue_size_total',
  'ara_queue_users_total',
  'ara_ack_pending',
];

/** Looks at a running service from outside and inside. */
export class Monitor {
  #answers = 0;

  constructor(
    private readonly ara: AraProcess,
    private readonly folder: string,
    private readonly startedAt: number,
  ) {}

  async look(): Promise<Vitals> {
    const told = await this.#ask();
    const samples = await scrape(this.ara).catch(() => []);
    const pid = this.ara.child.pid ?? 0;
    return {
      ...told,
      at: (Date.now() - this.startedAt) / 1000,
      openFiles: readdirSync(`/proc/${pid}/fd`).length,
      waitedMs: Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6,
      counts: Object.fromEntries(
        COUNTS.map((name) => [name, samples.find(({ series }) => series === name)?.value ?? Number.NaN]),
      ),
    };
  }

  async #ask(): Promise<Told> {
    const answered = ++this.#answers;
    this.ara.child.kill('SIGUSR2');
    const line = await until('the service tells its vitals', () => this.#lines()[answered - 1], ANSWER_MS);
    return JSON.parse(line) as Told;
  }

  #lines(): string[] {
    return readFileSync(join(this.folder, FILE), 'utf8').split('\n').filter(Boolean);
  }
}

/** Least squares: by how much `y` grows per unit of `x`. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(points.map(([at]) => at));
  const y = mean(points.map(([, value]) => value));
  const covariance = mean(points.map(([at, value]) => (at - x) * (value - y)));
  return covariance / mean(points.map(([at]) => (at - x) ** 2));
}
