import { AraProcess, type Env, type StartOptions } from '../../support/ara-process';
import { until } from '../../support/until';

/** How an asked-for end went. */
export interface Ending {
  readonly code: number | null;
  readonly ms: number;
}

const NOTICE_MS = 10_000;

/** One node of the service under audit: one process after another on the same port. */
export class Node {
  /** Resolves while it can be reached, as far as a load balancer knows. */
  up: Promise<void> = Promise.resolve();
  isUp = true;
  /** Processes that ended without being asked to in order. */
  deaths = 0;
  /** Processes that were asked to end. */
  readonly endings: Ending[] = [];
  /** When it answered something durable the last time. */
  lastDurableAt = 0;
  #ara: AraProcess;

  private constructor(ara: AraProcess) {
    this.#ara = ara;
  }

  static async start(env: Env, options: StartOptions = {}): Promise<Node> {
    return new Node(await AraProcess.start(env, options));
  }

  get ara(): AraProcess {
    return this.#ara;
  }

  /** Ends it, unless it has ended, as a power cut would; starts it again with these changes of its environment. */
  crash(env: Env = {}): Promise<void> {
    this.#ara.child.kill('SIGKILL');
    return this.#down(async () => {
      await this.#ara.exited;
      this.deaths++;
      return this.#ara.restart(env);
    });
  }

  /** Ends it as a rolling update would, and starts it again; whoever asks for its readiness sends nobody there from the first "no" on. */
  async replace(): Promise<void> {
    const startedAt = performance.now();
    const ended = this.#ara.stop();
    const isReady = async (): Promise<boolean> =>
      (await this.#ara.http('GET', '/health/ready', { timeoutMs: 2_000 })).status === 200;
    await until('it is not ready any more', async () => !(await isReady().catch(() => false)), NOTICE_MS);
    await this.#down(async () => {
      const { code } = await ended;
      this.endings.push({ code, ms: Math.round(performance.now() - startedAt) });
      return this.#ara.restart();
    });
  }

  /** Of `/metrics`, labels added up. */
  async counters(): Promise<ReadonlyMap<string, number>> {
    const { text } = await this.#ara.get('/metrics');
    const sums = new Map<string, number>();
    for (const [, name, value] of text.matchAll(/^(\w+)(?:\{[^}]*\})? (\S+)$/gm)) {
      if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value));
    }
    return sums;
  }

  #down(restart: () => Promise<AraProcess>): Promise<void> {
    this.isUp = false;
    this.up = restart().then((ara) => {
      this.#ara = ara;
      this.isUp = true;
    });
    return this.up;
  }
}
