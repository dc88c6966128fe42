import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AraProcess, type Env } from '../../support/ara-process';
import { type RedisServer, startRedis } from '../../support/redis-server';
import { until } from '../../support/until';
import { Random } from '../audit/random';
import { BackEnd } from './back-end';
import { Churn } from './churn';
import type { SoakOptions } from './options';
import { Monitor, slope, type Vitals, vitalsEnv } from './vitals';

/** Everything that is kept for a time is kept for this long, so that it must be gone soon after the end. */
const LIFE_SECONDS = 10;
const PLENTY = '1000000000';
const ENV: Env = {
  LOG_LEVEL: 'error',
  QUEUE_ENABLED: 'true',
  QUEUE_BACKEND: 'redis',
  QUEUE_MESSAGE_TTL_SECONDS: String(LIFE_SECONDS),
  QUEUE_CLEANUP_INTERVAL_SECONDS: '2',
  ACK_ENABLED: 'true',
  ACK_BACKEND: 'redis',
  ACK_TIMEOUT_SECONDS: String(LIFE_SECONDS),
  ACK_CLEANUP_INTERVAL_SECONDS: '2',
  RATELIMIT_ENABLED: 'true',
  RATELIMIT_HTTP_REQUESTS_PER_SECOND: PLENTY,
  RATELIMIT_HTTP_BURST_SIZE: PLENTY,
  RATELIMIT_WS_CONNECTIONS_PER_MINUTE: PLENTY,
  RATELIMIT_CLEANUP_INTERVAL_SECONDS: '2',
  REDIS_CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS: '1',
  REDIS_BACKOFF_MAX_DELAY_MS: '1000',
  WEBSOCKET_HEARTBEAT_INTERVAL: '5',
  WEBSOCKET_CONNECTION_TIMEOUT: '15',
  WEBSOCKET_CLEANUP_INTERVAL: '5',
  CANARY_INTERVAL_SECONDS: '2',
};
const LOOK_MS = 10_000;
const SHARE_OF_WARM_UP = 0.25;
const MOST_MIB_PER_MINUTE = 1;
const MOST_LOOP_P99_MS = 50;
const DOWN_MS = 1000;
const MOST_STARTS = 5;
/** Longer than STORE_TIMEOUT_MS. */
const FROZEN_MS = 2500;
const GONE_MS = 90_000;
/** A connection that Redis' client or a scrape is just opening or closing. */
const SLACK = 2;
const MIB = 1024 * 1024;

export interface SoakVerdict {
  readonly ok: boolean;
  readonly minutes: number;
  readonly opened: number;
  readonly received: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly blinks: number;
  /** After the warm-up, of what is left after a full collection; null: too short to say. */
  readonly rss_mib_per_minute: number | null;
  readonly heap_mib_per_minute: number | null;
  readonly rss_mib: { readonly first: number; readonly last: number };
  readonly heap_mib: { readonly baseline: number; readonly end: number };
  /** As it was, and less the time in which the service wanted a core and the machine had none; the latter is judged. */
  readonly loop_p99_ms: number;
  readonly loop_own_p99_ms: number;
  readonly loop_own_p99_ms_of_worst_window: number;
  /** Share of the time in which the service wanted a core and had none. */
  readonly share_waiting_for_a_core: number;
  /** What was not gone at the end: name → [at first, at the end]. */
  readonly left_behind: Readonly<Record<string, readonly [number, number]>>;
  readonly exit_code: number | null;
  readonly complaints: readonly string[];
}

/** One soak; rejects when it could not be made. `say` hears how it goes. */
export async function soak(options: SoakOptions, say: (what: string) => void = () => undefined): Promise<SoakVerdict> {
  const folder = mkdtempSync(join(tmpdir(), 'ara-soak-'));
  const redis = await startRedis({ args: ['--appendonly', 'yes'] });
  try {
    const ara = await AraProcess.start({ ...ENV, REDIS_URL: redis.url, ...vitalsEnv(folder) });
    try {
      return await new Soak(options, redis, ara, folder, say).run();
    } finally {
      await ara.kill9();
    }
  } finally {
    await redis.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Soak {
  readonly #random: Random;
  readonly #answers: Record<string, number> = {};
  readonly #seen: Vitals[] = [];
  readonly #startedAt = Date.now();
  readonly #monitor: Monitor;
  readonly #backEnd: BackEnd;
  #blinks = 0;

  constructor(
    private readonly options: SoakOptions,
    private readonly redis: RedisServer,
    private readonly ara: AraProcess,
    folder: string,
    private readonly say: (what: string) => void,
  ) {
    this.#random = new Random(options.seed);
    this.#monitor = new Monitor(ara, folder, this.#startedAt);
    this.#backEnd = new BackEnd(ara);
  }

  async run(): Promise<SoakVerdict> {
    await this.#tryEverything();
    const baseline = await this.#monitor.look();
    const churn = new Churn(this.ara, this.#random);
    churn.begin(this.options.connectsPerSecond);
    const until = Date.now() + this.options.minutes * 60_000;
    try {
      await Promise.all([this.#post(churn, until), this.#blink(until), this.#watch(churn, until)]);
    } finally {
      churn.end();
    }
    this.#backEnd.end();
    const { left, end } = await this.#settle(baseline);
    const { code } = await this.ara.stop();
    return this.#verdict(churn, baseline, end, left, code);
  }

  /** What is made on first use is no leak: all kinds of work once before the baseline is taken. */
  async #tryEverything(): Promise<void> {
    const churn = new Churn(this.ara, this.#random);
    churn.begin(this.options.connectsPerSecond);
    await this.#post(churn, Date.now() + 3000);
    churn.end();
    this.#backEnd.end();
    await until(
      'the first connections are gone',
      async () => {
        const { counts } = await this.#monitor.look();
        return counts['ara_connections_total'] === 0;
      },
      GONE_MS,
    );
  }

  async #post(churn: Churn, until: number): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let n = 0; Date.now() < until; n++) {
      const one = this.#postOne(churn, n).finally(() => underWay.delete(one));
      underWay.add(one);
      await sleep(1000 / this.options.perSecond);
    }
    await Promise.all(underWay);
  }

  async #postOne(churn: Churn, n: number): Promise<void> {
    const event = { event_type: 'soak', payload: { n, text: 'x'.repeat(this.#random.between(0, 600)) } };
    if (n % 10 === 9) {
      const trigger = { type: 'user', target: churn.someUser(), event };
      await this.redis
        .command('PUBLISH', `notification:user:${trigger.target}`, JSON.stringify(trigger))
        .catch(() => '');
      return;
    }
    const [path, body] = this.#request(churn, n, event);
    const answer = await this.#backEnd.post(path, body);
    this.#answers[answer] = (this.#answers[answer] ?? 0) + 1;
  }

  #request(churn: Churn, n: number, event: object): readonly [path: string, body: object] {
    const user = (): string => churn.someUser();
    switch (n % 20) {
      case 1:
        return ['broadcast', event];
      case 2:
      case 3:
        return ['channel', { channel: 'news', ...event }];
      case 4:
        return ['send-to-users', { target_user_ids: Array.from({ length: 5 }, user), ...event }];
      case 5: {
        const item = (): object => ({ target: { type: 'user', value: user() }, ...event });
        return ['batch', { notifications: Array.from({ length: 10 }, item) }];
      }
      default:
        return ['send', { target_user_id: user(), ...event, ttl: 1 + this.#random.between(0, LIFE_SECONDS - 1) }];
    }
  }

  /** Redis dies, stops in order, and freezes, in turn. */
  async #blink(until: number): Promise<void> {
    const every = this.options.blinkSeconds * 1000;
    for (let next = Date.now() + every / 2; next < until; next += every) {
      await sleep(Math.max(0, next - Date.now()));
      const kind = this.#blinks++ % 3;
      if (kind === 2) {
        this.redis.pause();
        await sleep(FROZEN_MS);
        this.redis.resume();
      } else {
        await (kind === 0 ? this.redis.kill9() : this.redis.stop());
        await sleep(DOWN_MS);
        await this.#startRedis();
      }
    }
  }

  /** On a machine that is busy enough a start takes longer than it may. */
  async #startRedis(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.redis.start();
        return;
      } catch (error) {
        if (tries === MOST_STARTS) throw error;
        await this.redis.kill9();
      }
    }
  }

  async #watch(churn: Churn, until: number): Promise<void> {
    const every = Math.min(LOOK_MS, this.options.minutes * 6000);
    for (let next = Date.now() + every; next <= until; next += every) {
      await sleep(Math.max(0, next - Date.now()));
      const vitals = await this.#monitor.look();
      this.#seen.push(vitals);
      const { at, rss, heapUsed, loop, openFiles, counts } = vitals;
      this.say(
        `${at.toFixed(0).padStart(5)} s  ${mib(rss).toFixed(1)} MiB resident, ${mib(heapUsed).toFixed(1)} used, loop p99 ${loop.ownP99Ms.toFixed(1)} ms (${loop.p99Ms.toFixed(1)} with waiting for a core), ` +
          `${openFiles} files, ${String(counts['ara_connections_total'])} connections (${churn.opened} so far), Redis blinked ${this.#blinks} times`,
      );
    }
  }

  /** Waits until everything is as it was before; what is not by then was left behind. */
  async #settle(baseline: Vitals): Promise<{ left: SoakVerdict['left_behind']; end: Vitals }> {
    this.say('everybody is gone; waiting for what is kept to end');
    const deadline = Date.now() + GONE_MS;
    for (;;) {
      const end = await this.#monitor.look();
      const left = leftBehind(baseline, end);
      if (Object.keys(left).length === 0 || Date.now() > deadline) return { left, end };
      await sleep(2000);
    }
  }

  #verdict(
    churn: Churn,
    baseline: Vitals,
    end: Vitals,
    left: SoakVerdict['left_behind'],
    exitCode: number | null,
  ): SoakVerdict {
    const { minutes, judgesSlope } = this.options;
    const warm = this.#seen.filter(({ at }) => at >= minutes * 60 * SHARE_OF_WARM_UP);
    const perMinute = (of: (vitals: Vitals) => number): number | null =>
      judgesSlope ? slope(warm.map((vitals) => [vitals.at / 60, mib(of(vitals))])) : null;
    const rss = perMinute((vitals) => vitals.rss);
    const last = this.#seen.at(-1) ?? end;
    const complaints = [
      ...(rss !== null && !(rss < MOST_MIB_PER_MINUTE) ? [`memory grew by ${rss.toFixed(2)} MiB per minute`] : []),
      ...(last.whole.ownP99Ms > MOST_LOOP_P99_MS
        ? [`the event loop's p99 was ${last.whole.ownP99Ms.toFixed(1)} ms`]
        : []),
      ...Object.entries(left).map(([name, [before, after]]) => `${name}: ${before} at first, ${after} at the end`),
      ...(exitCode === 0 ? [] : [`it ended with ${String(exitCode)}`]),
    ];
    return {
      ok: complaints.length === 0,
      minutes,
      opened: churn.opened,
      received: churn.received,
      answers: this.#answers,
      blinks: this.#blinks,
      rss_mib_per_minute: rss,
      heap_mib_per_minute: perMinute((vitals) => vitals.heapUsed),
      rss_mib: { first: mib(warm[0]?.rss ?? baseline.rss), last: mib(last.rss) },
      heap_mib: { baseline: mib(baseline.heapUsed), end: mib(end.heapUsed) },
      loop_p99_ms: last.whole.p99Ms,
      loop_own_p99_ms: last.whole.ownP99Ms,
      loop_own_p99_ms_of_worst_window: Math.max(...this.#seen.map(({ loop }) => loop.ownP99Ms)),
      share_waiting_for_a_core: (last.waitedMs - baseline.waitedMs) / 1000 / (last.at - baseline.at),
      left_behind: left,
      exit_code: exitCode,
      complaints,
    };
  }
}

function leftBehind(baseline: Vitals, end: Vitals): Record<string, readonly [number, number]> {
  const left: Record<string, readonly [number, number]> = {};
  for (const [name, after] of Object.entries(end.counts)) if (!(after <= 0)) left[name] = [0, after];
  const files = [baseline.openFiles, end.openFiles] as const;
  if (files[1] > files[0] + SLACK) left['open files'] = files;
  for (const [name, after] of Object.entries(end.resources)) {
    const before = baseline.resources[name] ?? 0;
    if (after > before + SLACK) left[name] = [before, after];
  }
  return left;
}

function mib(bytes: number): number {
  return bytes / MIB;
}
