import { StoreUnavailableError } from '../../src/notification/store-unavailable';
import { MemoryQueueStore } from '../../src/queue/memory-queue.store';
import type { Append, AppendOutcome, EntryRef, Position, StoredEntry, StreamKey } from '../../src/queue/queue-store';

/** A store whose medium goes away when the test says so; what it holds is there again when it comes back. */
export class FaultyQueueStore extends MemoryQueueStore {
  isDown = false;
  /** Appends reach the store, but their answers get lost: the caller cannot know. */
  losesAnswers = false;
  durable = true;
  /** Appends that hold this text in their JSON find the store away. */
  failsFor: string | undefined;

  override isDurable(): boolean {
    return this.durable;
  }

  override async append(appends: readonly Append[], cap: number, now: number): Promise<AppendOutcome[]> {
    this.reach();
    const { failsFor } = this;
    if (failsFor !== undefined && appends.some(({ body }) => body.json.includes(failsFor))) throw unreachable();
    const outcomes = await super.append(appends, cap, now);
    if (this.losesAnswers) throw unreachable();
    return outcomes;
  }

  override readAfter(
    stream: StreamKey,
    after: Position | undefined,
    limit: number,
    now: number,
  ): Promise<readonly StoredEntry[]> {
    return this.isDown ? Promise.reject(unreachable()) : super.readAfter(stream, after, limit, now);
  }

  override readMany(
    streams: readonly StreamKey[],
    limit: number,
    now: number,
  ): ReturnType<MemoryQueueStore['readMany']> {
    return this.isDown ? Promise.reject(unreachable()) : super.readMany(streams, limit, now);
  }

  override async commit(entries: readonly EntryRef[]): Promise<number> {
    this.reach();
    return super.commit(entries);
  }

  override async recordDelivery(entries: readonly EntryRef[], maxDeliveries: number): Promise<number> {
    this.reach();
    return super.recordDelivery(entries, maxDeliveries);
  }

  private reach(): void {
    if (this.isDown) throw unreachable();
  }
}

function unreachable(): StoreUnavailableError {
  return new StoreUnavailableError('redis', 'connection refused');
}
