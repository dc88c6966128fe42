import { AraProcess, type Env } from '../../support/ara-process';

/** The service under audit: one process after another on the same port. */
export class Node {
  /** Resolves while it can be reached. */
  up: Promise<void> = Promise.resolve();
  /** Processes that ended without being asked to in order. */
  deaths = 0;
  #ara: AraProcess;

  private constructor(ara: AraProcess) {
    this.#ara = ara;
  }

  static async start(env: Env): Promise<Node> {
    return new Node(await AraProcess.start(env));
  }

  get ara(): AraProcess {
    return this.#ara;
  }

  /** Ends it, unless it has ended, as a power cut would; starts it again with these changes of its environment. */
  crash(env: Env = {}): Promise<void> {
    this.#ara.child.kill('SIGKILL');
    this.up = this.#restart(env);
    return this.up;
  }

  async #restart(env: Env): Promise<void> {
    await this.#ara.exited;
    this.deaths++;
    this.#ara = await this.#ara.restart(env);
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
}
