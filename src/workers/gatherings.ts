import type { Subject } from './workers';

/** Longest wait for the answers of the workers; a metric that is asked of a store takes half of it at most. */
export const GATHER_WAIT_MS = 1000;

interface Gathering {
  readonly subject: string;
  readonly missing: Set<number>;
  readonly answers: Map<number, unknown>;
  readonly finish: () => void;
}

/** Puts a question to all workers, at the supervisor: collects what they answer, and keeps what must outlive them. */
export class Gatherings {
  readonly #open = new Map<number, Gathering>();
  readonly #kept = new Map<string, Subject<null, unknown>>();
  /** By subject and worker. */
  readonly #last = new Map<string, Map<number, unknown>>();
  readonly #departed = new Map<string, unknown>();
  #lastId = 0;

  /** @param kept the subjects of which no figure may fall because a worker ends */
  constructor(kept: readonly Subject<null, unknown>[]) {
    for (const subject of kept) {
      this.#kept.set(subject.name, subject);
      this.#last.set(subject.name, new Map<number, unknown>());
    }
  }

  /** @param put asks one worker; its answer comes by `answer`, its end by `forget`. */
  async gather(
    subject: string,
    workers: readonly number[],
    put: (worker: number, id: number) => void,
  ): Promise<readonly unknown[]> {
    const id = ++this.#lastId;
    const answers = new Map<number, unknown>();
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, GATHER_WAIT_MS);
      const finish = (): void => {
        clearTimeout(late);
        resolve();
      };
      this.#open.set(id, { subject, missing: new Set(workers), answers, finish });
      for (const worker of workers) put(worker, id);
      if (workers.length === 0) finish();
    });
    this.#open.delete(id);
    const last = this.#last.get(subject);
    for (const worker of workers) {
      const earlier = last?.get(worker);
      if (!answers.has(worker) && earlier !== undefined) answers.set(worker, earlier);
    }
    const departed = this.#departed.get(subject);
    return [...answers.values(), ...(departed === undefined ? [] : [departed])];
  }

  answer(worker: number, id: number, answer: unknown): void {
    const gathering = this.#open.get(id);
    if (gathering === undefined) return;
    if (answer !== undefined) {
      gathering.answers.set(worker, answer);
      this.#last.get(gathering.subject)?.set(worker, answer);
    }
    this.#settle(gathering, worker);
  }

  /** The worker is gone: nobody waits for it, and what it counted stays. */
  forget(worker: number): void {
    for (const gathering of this.#open.values()) {
      // What it has just answered would count twice, beside what it leaves.
      gathering.answers.delete(worker);
      this.#settle(gathering, worker);
    }
    for (const [name, { legacy }] of this.#kept) {
      const last = this.#last.get(name)?.get(worker);
      if (last === undefined || legacy === undefined) continue;
      this.#departed.set(name, legacy.add(this.#departed.get(name), last));
      this.#last.get(name)?.delete(worker);
    }
  }

  #settle({ missing, finish }: Gathering, worker: number): void {
    missing.delete(worker);
    if (missing.size === 0) finish();
  }
}
