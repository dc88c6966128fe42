import { Injectable, Logger } from '@nestjs/common';
import { AckService } from '../ack/ack.service';
import { SessionDirectory } from '../cluster/session-directory';
import { AraConfig } from '../config/ara-config';
import { ConnectionRegistry } from '../connection/connection-registry';
import type { Receipt, Taker } from '../connection/receipt';
import { Clock } from '../notification/clock';
import type { NotificationId, UserId } from '../notification/ids';
import { QueueService } from '../queue/queue.service';
import type { EntryRef } from '../queue/queue-store';

/**
 * How long a reader that took an entry from the store before it was committed, or a node that was late to hear of it, may
 * still bring it up: that many times what the store may take.
 */
const STRAGGLER_TIMEOUTS = 30;
const MIN_STRAGGLER_MS = 30_000;
/** Commits that failed and are kept for another try; beyond it the entry is simply delivered again, with the same id. */
const MAX_RETRIES_KEPT = 100_000;

/**
 * Decides when a stored notification has reached its user, and takes it out of the store: acknowledgements off, when
 * the kernel took its bytes on one connection; on, when the user acknowledged it, or when it was written to an SSE
 * stream while no WebSocket of the user, on any node, could acknowledge it.
 */
@Injectable()
export class SettlementService {
  private readonly logger = new Logger(SettlementService.name);
  #failed: EntryRef[] = [];
  /** Written to a stream while nobody could tell whether a WebSocket elsewhere may acknowledge them. */
  #undecided: EntryRef[] = [];

  constructor(
    private readonly queue: QueueService,
    private readonly ack: AckService,
    private readonly registry: ConnectionRegistry,
    private readonly directory: SessionDirectory,
    private readonly config: AraConfig,
    private readonly clock: Clock,
  ) {}

  /** `isTracked`: a WebSocket of the user is sent it too and may acknowledge it. */
  receipt(entry: EntryRef, expiresAt: number, isTracked: boolean): Receipt {
    return new EntryReceipt(this, entry, expiresAt, isTracked);
  }

  /** The user has it for good. Resolves when the store knows; rejects when the store cannot be reached, and tries again later. */
  async commit(entry: EntryRef): Promise<void> {
    try {
      await this.queue.commit(entry);
      this.settleConnections(entry);
    } catch (error) {
      if (this.#failed.length < MAX_RETRIES_KEPT) this.#failed.push(entry);
      throw error;
    }
  }

  /** Repeats commits that failed, and decides what could not be decided. */
  async retryFailed(): Promise<void> {
    const failed = this.#failed;
    const undecided = this.#undecided;
    this.#failed = [];
    this.#undecided = [];
    await Promise.allSettled([
      ...failed.map((entry) => this.commit(entry)),
      ...undecided.map((entry) => this.writtenToStream(entry)),
    ]);
  }

  /** The kernel took the entry's bytes on `taker`. */
  written(receipt: EntryReceipt, taker: Taker): void {
    const { entry, isTracked } = receipt;
    if (!this.ack.isEnabled || !this.config.queue.redeliverUnacked) this.commit(entry).catch(this.report);
    else if (taker.transport === 'websocket' || isTracked) this.queue.recordDelivery(entry).catch(this.report);
    else this.writtenToStream(entry).catch(this.report);
  }

  private async writtenToStream(entry: EntryRef): Promise<void> {
    const { tenant, user } = entry;
    let present: ReadonlySet<UserId>;
    try {
      present = await this.directory.presentElsewhere(tenant, [user], 'websocket');
    } catch {
      // There may be one: the entry stays until that can be told, since the stream is not given it again.
      if (this.#undecided.length < MAX_RETRIES_KEPT) this.#undecided.push(entry);
      return;
    }
    await (present.has(user) ? this.queue.recordDelivery(entry) : this.commit(entry));
  }

  /** The user's connections need not remember it much longer. */
  private settleConnections({ tenant, user, id }: EntryRef): void {
    const stragglerMs = Math.max(MIN_STRAGGLER_MS, STRAGGLER_TIMEOUTS * this.config.store.timeoutMs);
    const forgetAt = this.clock.now() + stragglerMs;
    for (const connection of this.registry.tenant(tenant)?.ofUser(user) ?? []) connection.settled(id, forgetAt);
  }

  private readonly report = (error: unknown): void => {
    this.logger.debug(`Could not settle a queue entry: ${error instanceof Error ? error.message : String(error)}`);
  };
}

class EntryReceipt implements Receipt {
  constructor(
    private readonly settlement: SettlementService,
    readonly entry: EntryRef,
    readonly expiresAt: number,
    readonly isTracked: boolean,
  ) {}

  get id(): NotificationId {
    return this.entry.id;
  }

  taken(taker: Taker): void {
    this.settlement.written(this, taker);
  }
}
