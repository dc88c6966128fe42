/**
 * What keeping costs on the way of a send: each store, with acknowledgements off and on, as a ratio to the queue off.
 *
 *   npm run bench:stores -- [rounds]     (7 rounds, some two minutes)
 *
 * One service per variant runs all the time; each round gives every variant the same sends to one connected user in turn,
 * in an order that shifts. CPU time is that of the service's process alone, as its own metrics tell it; a store's own
 * process is not counted. Ratios are taken within a round; shown are the median of the rounds and its quartiles.
 */
import { Agent, request } from 'node:http';
import { AraProcess, type Env } from '../support/ara-process';
import { PostgresServer } from '../support/postgres-server';
import { startRedis } from '../support/redis-server';
import type { WsClient } from '../support/ws-client';

const SENDS = 1500;
const CONCURRENCY = 16;
const BODY = JSON.stringify({ target_user_id: 'user-0', event_type: 'e', payload: { text: 'x'.repeat(200) } });
const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });

interface Measured {
  readonly cpuMs: number;
  readonly wallMs: number;
}

class Variant {
  readonly rounds: Measured[] = [];

  private constructor(
    readonly name: string,
    readonly ara: AraProcess,
    private readonly client: WsClient,
  ) {}

  static async start(name: string, env: Env): Promise<Variant> {
    const ara = await AraProcess.start(env);
    const client = await ara.ws('user-0');
    // Every notification is acknowledged at once, so that no variant piles up what the others do not have.
    client.socket.on('message', (data: Buffer) => {
      const { type, id } = JSON.parse(data.toString()) as { type: string; id?: string };
      if (type === 'notification') client.send({ type: 'Ack', payload: { notification_id: id } });
      client.inbox.drain();
    });
    return new Variant(name, ara, client);
  }

  async measure(): Promise<void> {
    const cpuBefore = await this.cpuMs();
    const startedAt = performance.now();
    let left = SENDS;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.send();
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    const wallMs = performance.now() - startedAt;
    await this.client.settled().catch(() => undefined);
    this.rounds.push({ wallMs, cpuMs: (await this.cpuMs()) - cpuBefore });
  }

  private send(): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'x-api-key': this.ara.env['API_KEY'] };
      const path = '/api/v1/notifications/send';
      request(`${this.ara.url}${path}`, { method: 'POST', agent, headers }, (answer) => {
        answer.resume().on('end', () => {
          if (answer.statusCode === 200) resolve();
          else reject(new Error(`${this.name} answered ${String(answer.statusCode)}`));
        });
      })
        .on('error', reject)
        .end(BODY);
    });
  }

  private async cpuMs(): Promise<number> {
    const { text } = await this.ara.get('/metrics');
    return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1]) * 1000;
  }
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 7);
  const redis = await startRedis({ args: ['--appendonly', 'yes'] });
  const postgres = await PostgresServer.start();
  const kept = (backend: string): Env => ({
    QUEUE_ENABLED: 'true',
    QUEUE_BACKEND: backend,
    QUEUE_MAX_SIZE_PER_USER: '5000',
  });
  const acked = (backend: string): Env => ({ ...kept(backend), ACK_ENABLED: 'true', ACK_BACKEND: backend });
  const reach: Record<string, Env> = {
    memory: {},
    redis: { REDIS_URL: redis.url },
    postgres: { DATABASE_URL: postgres.url },
  };
  const variants = [await Variant.start('queue off', {}), await Variant.start('queue off (again: the noise)', {})];
  for (const [backend, env] of Object.entries(reach)) {
    variants.push(await Variant.start(backend, { ...env, ...kept(backend) }));
    variants.push(await Variant.start(`${backend}, ACK on`, { ...env, ...acked(backend) }));
  }
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < variants.length; turn++) await variants[(round + turn) % variants.length]?.measure();
    // The first round warms up.
    if (round === 0) for (const { rounds: measured } of variants) measured.length = 0;
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  report(variants);
  for (const { ara } of variants) await ara.kill9();
  await postgres.stop();
  await redis.close();
}

function report(variants: readonly Variant[]): void {
  const base = variants[0]?.rounds ?? [];
  console.log('| Store | CPU per send | CPU ratio | Time ratio |\n|---|--:|--:|--:|');
  for (const { name, rounds } of variants) {
    const cpu = rounds.map(({ cpuMs }, i) => cpuMs / (base[i]?.cpuMs ?? NaN));
    const wall = rounds.map(({ wallMs }, i) => wallMs / (base[i]?.wallMs ?? NaN));
    const perSend = at(
      rounds.map(({ cpuMs }) => (cpuMs / SENDS) * 1000),
      0.5,
    );
    console.log(`| ${name} | ${perSend.toFixed(0)} µs | ${spread(cpu)} | ${spread(wall)} |`);
  }
}

function spread(values: readonly number[]): string {
  return `${at(values, 0.5).toFixed(2)} (${at(values, 0.25).toFixed(2)}–${at(values, 0.75).toFixed(2)})`;
}

function at(values: readonly number[], quantile: number): number {
  return values.toSorted((a, b) => a - b)[Math.round((values.length - 1) * quantile)] ?? NaN;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
