import type { Env, StartOptions } from '../../support/ara-process';
import { Node } from './node';
import type { Random } from './random';

/** The nodes of the service under audit, and the load balancer in front of them, which knows who is ready. */
export class Nodes {
  #turn = 0;

  private constructor(readonly all: readonly Node[]) {}

  /** `settings`: of the n-th node. */
  static async start(
    count: number,
    settings: (number: number) => { readonly env: Env; readonly options?: StartOptions },
  ): Promise<Nodes> {
    const starting = Array.from({ length: count }, (_, number) => settings(number));
    const started = await Promise.allSettled(starting.map(({ env, options }) => Node.start(env, options)));
    const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failure = started.find((one) => one.status === 'rejected');
    if (failure === undefined) return new Nodes(nodes);
    await Promise.all(nodes.map(({ ara }) => ara.stop()));
    throw failure.reason;
  }

  get first(): Node {
    const [first] = this.all;
    if (first === undefined) throw new Error('there are no nodes');
    return first;
  }

  get deaths(): number {
    return this.all.reduce((sum, { deaths }) => sum + deaths, 0);
  }

  /** Whether all processes are those of the start, so that their counters tell everything. */
  get areUnbroken(): boolean {
    return this.all.every(({ deaths, endings }) => deaths + endings.length === 0);
  }

  /** The next one in turn that is ready; waits while none is. */
  next(): Promise<Node> {
    return this.#ready((ready) => ready[this.#turn++ % ready.length]);
  }

  /** Any that is ready. */
  any(random: Random): Promise<Node> {
    return this.#ready((ready) => ready[random.between(0, ready.length - 1)]);
  }

  /** Counters of all nodes, added up. */
  async counters(): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    for (const counters of await Promise.all(this.all.map((node) => node.counters()))) {
      for (const [name, value] of counters) sums.set(name, (sums.get(name) ?? 0) + value);
    }
    return sums;
  }

  /** What is stored, in whichever store they share. */
  async queueSize(): Promise<number> {
    return (await this.first.counters()).get('ara_queue_size_total') ?? Number.NaN;
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map(({ ara }) => ara.stop()));
  }

  async #ready(pick: (ready: readonly Node[]) => Node | undefined): Promise<Node> {
    for (;;) {
      const picked = pick(this.all.filter(({ isUp }) => isUp));
      if (picked !== undefined) return picked;
      await Promise.any(this.all.map(({ up }) => up));
    }
  }
}
