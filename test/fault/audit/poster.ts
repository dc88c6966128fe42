import { setTimeout as sleep } from 'node:timers/promises';
import type { Door } from './door';
import type { Ledger } from './ledger';
import type { RequestPlan } from './plan';

/** Who fell behind does not catch up with more than this at once. */
const BURST_MS = 100;

/**
 * A back end that posts at its own pace and never tries anything twice: what it is told is written down as it is. While
 * no process listens it waits, as it would behind a load balancer.
 */
export class Poster {
  posted = 0;
  isDone = false;
  /** Resolves when the last answer is there. */
  readonly done: Promise<void>;
  readonly #finish: () => void;
  readonly #underWay = new Set<Promise<void>>();
  #milestones: { readonly at: number; readonly reached: () => void }[] = [];

  constructor(
    private readonly door: Door,
    private readonly ledger: Ledger,
    private readonly options: {
      readonly perSecond: number;
      readonly concurrency: number;
      /** Resolves while somebody is there to take it. */
      readonly someoneIsUp: () => Promise<unknown>;
    },
  ) {
    let finish = (): void => undefined;
    this.done = new Promise((finished) => (finish = finished));
    this.#finish = finish;
  }

  /** Resolves when so many notifications have been posted. */
  reached(at: number): Promise<void> {
    if (this.posted >= at) return Promise.resolve();
    return new Promise((reached) => this.#milestones.push({ at, reached }));
  }

  /** Resolves when the last answer is there. */
  async postAll(requests: readonly RequestPlan[]): Promise<void> {
    let due = performance.now();
    for (const plan of requests) {
      due = Math.max(due + (1000 * plan.posts.length) / this.options.perSecond, performance.now() - BURST_MS);
      const early = due - performance.now();
      if (early > 1) await sleep(early);
      while (this.#underWay.size >= this.options.concurrency) await Promise.race(this.#underWay);
      await this.options.someoneIsUp();
      const posting: Promise<void> = this.#post(plan).finally(() => this.#underWay.delete(posting));
      this.#underWay.add(posting);
      this.#advance(plan.posts.length);
    }
    await Promise.all(this.#underWay);
    await this.door.close();
    this.isDone = true;
    this.#finish();
  }

  #advance(count: number): void {
    this.posted += count;
    const isDue = ({ at }: { readonly at: number }): boolean => this.posted >= at;
    for (const { reached } of this.#milestones.filter(isDue)) reached();
    this.#milestones = this.#milestones.filter((milestone) => !isDue(milestone));
  }

  async #post(request: RequestPlan): Promise<void> {
    const now = performance.now();
    for (const post of request.posts) this.ledger.posted(post, now);
    // Without an answer nothing was promised.
    const answers = await this.door.post(request).catch(() => undefined);
    const at = performance.now();
    answers?.forEach((one, index) => {
      const post = request.posts[index];
      if (post !== undefined) this.ledger.answered(post.n, one, at);
    });
  }
}
