import { StoreUnavailableError } from '../notification/store-unavailable';

export interface CoalescerOptions {
  readonly maxBatch: number;
  /** Longest wait of one item from submit to answer; undefined: as long as the writer takes. */
  readonly timeoutMs?: number;
  /** The error of an item that waited too long. */
  readonly onTimeout?: () => Error;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Turns single writes into batches: what one event-loop turn submits, and what arrives while a batch is under way,
 * goes out together; every caller awaits its own result. One batch at a time, so writes keep the order in which they
 * were submitted. A batch that its input made fail is repeated item by item, so that one bad item fails only its own
 * caller; the writer must therefore be idempotent per item.
 */
export class Coalescer<T, R> {
  #waiting: Waiting<T, R>[] = [];
  #isScheduled = false;
  #underWay: Promise<void> | undefined;

  constructor(
    private readonly write: (items: readonly T[]) => Promise<readonly R[]>,
    private readonly options: CoalescerOptions,
  ) {}

  submit(item: T): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const timer = this.deadline(reject);
      this.#waiting.push({
        item,
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error: unknown) => {
          clearTimeout(timer);
          // Rejections of a store are errors; anything else would be a defect of the writer.
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      });
      this.schedule();
    });
  }

  /** Resolves when everything submitted so far has been answered. */
  async idle(): Promise<void> {
    while (this.#waiting.length > 0 || this.#underWay !== undefined) {
      await (this.#underWay ?? new Promise((resolve) => setImmediate(resolve)));
    }
  }

  private deadline(reject: (error: Error) => void): NodeJS.Timeout | undefined {
    const { timeoutMs, onTimeout } = this.options;
    if (timeoutMs === undefined) return undefined;
    return setTimeout(() => {
      reject(onTimeout?.() ?? new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs).unref();
  }

  private schedule(): void {
    if (this.#isScheduled || this.#underWay !== undefined) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#underWay = this.drain().finally(() => {
        this.#underWay = undefined;
        if (this.#waiting.length > 0) this.schedule();
      });
    });
  }

  private async drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, this.options.maxBatch);
      this.#waiting = this.#waiting.slice(this.options.maxBatch);
      await this.writeBatch(batch);
    }
  }

  private async writeBatch(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.write(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (result === undefined) reject(new Error('the writer answered fewer results than it was given items'));
        else resolve(result);
      });
    } catch (error) {
      if (batch.length === 1 || error instanceof StoreUnavailableError) {
        for (const { reject } of batch) reject(error);
      } else {
        for (const waiting of batch) await this.writeBatch([waiting]);
      }
    }
  }
}
