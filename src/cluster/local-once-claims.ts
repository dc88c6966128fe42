import { Injectable } from '@nestjs/common';
import { Clock } from '../notification/clock';
import { OnceClaims } from './once-claims';

const REMEMBERED_MS = 120_000;

/** Claims within this process. Memory grows with the claims of the last 120 s; a claim is O(1) amortised. */
@Injectable()
export class LocalOnceClaims extends OnceClaims {
  /** In the order in which they were made, hence in the order in which they end. */
  readonly #claimedAt = new Map<string, number>();

  constructor(private readonly clock: Clock) {
    super();
  }

  claim(key: string): Promise<boolean> {
    const now = this.clock.now();
    for (const [old, claimedAt] of this.#claimedAt) {
      if (now - claimedAt < REMEMBERED_MS) break;
      this.#claimedAt.delete(old);
    }
    if (this.#claimedAt.has(key)) return Promise.resolve(false);
    this.#claimedAt.set(key, now);
    return Promise.resolve(true);
  }
}
