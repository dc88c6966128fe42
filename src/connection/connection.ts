import type { ChannelName, ConnectionId, NotificationId, TenantId, UserId } from '../notification/ids';
import type { AudienceMember } from '../notification/target';
import type { CloseReason } from '../protocol/close-reason';
import type { Frame } from '../protocol/frame';
import type { Flushable, Flusher, Lane } from './flusher';
import type { FrameRun } from './frame-run';
import { Outbox } from './outbox';
import type { Receipt } from './receipt';
import { ReplayGate } from './replay-gate';
import { SentLog } from './sent-log';
import type { Sink, Transport } from './sink';
import type { Lagging, SlowReaders } from './slow-readers';

/** Who is connected, as the token says. */
export interface ConnectionIdentity {
  readonly id: ConnectionId;
  readonly tenant: TenantId;
  readonly user: UserId;
  readonly roles: readonly string[];
  /** Milliseconds since the epoch. */
  readonly connectedAt: number;
  /** Milliseconds since the epoch: the token's end. */
  readonly expiresAt: number;
  /** Which channels the token may hear. */
  readonly mayHear: (channel: ChannelName) => boolean;
  /** An SSE stream that hears every channel of its tenant without subscribing. */
  readonly hearsAllChannels: boolean;
  /** The self-probe: outside all counts, limits, lists and broadcasts. */
  readonly isProbe?: boolean;
}

/** What connections share. */
export interface ConnectionMeans {
  readonly flusher: Flusher;
  readonly slowReaders: SlowReaders;
  /** Frames dropped from a backlog after they had been accepted. */
  readonly onShed: (count: number) => void;
}

/** Frames of one turn beyond this are written at once, so that the backlog rules see them. */
const MAX_RUN_BYTES = 256 * 1024;
/** A backlog beyond this sheds frames of broadcasts and channels. */
const SHED_FROM_BYTES = 256 * 1024;
/** Written to a lagging socket at a time; what waits behind it can still be reordered by priority. */
const DRAIN_CHUNK_BYTES = 64 * 1024;
const CLOSE_GRACE_MS = 5000;
const NOTHING = Buffer.alloc(0);

/** One open WebSocket or SSE stream: takes frames, keeps their order, bounds what waits. Taking one is O(1). */
export class Connection implements AudienceMember, Flushable, Lagging {
  /** Slots in the registry's lists, for removal in O(1); the registry's business. */
  slot = -1;
  listenerSlot = -1;
  readonly subscriptions = new Map<ChannelName, number>();
  /** The last fan-out over several lists that tried this connection; negative when it refused. */
  fanOutMark = 0;
  /** Milliseconds since the epoch; idle connections are closed by it. */
  lastActivity: number;

  #run: FrameRun | undefined;
  #lane: Lane | undefined;
  #receipts: Receipt[] | undefined;
  #outbox: Outbox | undefined;
  #gate: ReplayGate | undefined;
  #sent: SentLog | undefined;
  /** Bytes refused since the kernel last took some: a reader that has stopped owes them, too. */
  #missedBytes = 0;
  #isOpen = true;

  constructor(
    readonly identity: ConnectionIdentity,
    readonly sink: Sink,
    private readonly means: ConnectionMeans,
  ) {
    this.lastActivity = identity.connectedAt;
  }

  get tenant(): TenantId {
    return this.identity.tenant;
  }

  get user(): UserId {
    return this.identity.user;
  }

  get roles(): readonly string[] {
    return this.identity.roles;
  }

  get transport(): Transport {
    return this.sink.transport;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  isSubscribedTo(channel: ChannelName): boolean {
    return this.subscriptions.has(channel);
  }

  /** Whether a notification to this channel is for it: it subscribed, or hears all that its token allows. */
  hears(channel: ChannelName): boolean {
    return this.isSubscribedTo(channel) || (this.identity.hearsAllChannels && this.identity.mayHear(channel));
  }

  /** Bytes accepted for this connection that the kernel has not taken. */
  get backlogBytes(): number {
    return this.unwrittenBytes + (this.#gate?.bytes ?? 0);
  }

  /** The same without what the gate holds back: bytes that only the reader's slowness delays. */
  get unwrittenBytes(): number {
    return this.sink.bufferedBytes + (this.#outbox?.bytes ?? 0) + (this.#run?.byteLength ?? 0);
  }

  /** Live frames wait behind what is replayed. */
  get isReplaying(): boolean {
    return this.#gate !== undefined;
  }

  /**
   * Accepts a frame for delivery, in order; false when the connection is closed or sheds it. A frame with a receipt
   * that this connection was given before is not given again. Never throws, never waits. O(1).
   */
  send(frame: Frame, receipt?: Receipt, lane: Lane = 'express'): boolean {
    if (!this.#isOpen) return false;
    if (this.#gate !== undefined) return this.hold(this.#gate, frame, receipt);
    if (receipt !== undefined && !this.claim(receipt)) return true;
    if (this.#outbox !== undefined) return this.queue(this.#outbox, frame, receipt);
    this.append(frame, receipt, lane);
    return true;
  }

  /** Was this stored notification given to this connection? */
  wasGiven(id: NotificationId): boolean {
    return this.#sent?.has(id) ?? false;
  }

  /** Was it given to this connection, and has it left the store since? */
  hasSettled(id: NotificationId): boolean {
    return this.#sent?.hasSettled(id) ?? false;
  }

  /** An entry is in no store any more; `forgetAt`: until when a slow reader may still bring it up. */
  settled(id: NotificationId, forgetAt: number): void {
    this.#sent?.settle(id, forgetAt);
  }

  pruneSent(now: number): void {
    this.#sent?.prune(now);
  }

  /** From here to `openGate`, live frames wait behind what is replayed. */
  closeGate(): void {
    this.#gate ??= new ReplayGate();
    this.sink.pause();
  }

  /** A stored frame that goes ahead of everything held at the gate. */
  replay(frame: Frame, receipt: Receipt): boolean {
    if (!this.#isOpen) return false;
    if (!this.claim(receipt)) return true;
    if (this.#outbox !== undefined) return this.queue(this.#outbox, frame, receipt);
    this.append(frame, receipt, 'express');
    return true;
  }

  /** Lets held frames follow, less those that were replayed. */
  openGate(): void {
    const held = this.#gate?.release() ?? [];
    this.#gate = undefined;
    let shed = 0;
    for (const { frame, receipt } of held) if (!this.send(frame, receipt)) shed++;
    if (!this.#isOpen) return;
    if (shed > 0) this.means.onShed(shed);
    // What was held counted as lag until here, and may be written by now.
    this.means.slowReaders.observe(this, this.unwrittenBytes);
    this.sink.resume();
  }

  /** Writes what this turn gathered. Called by the flusher. */
  flush(): void {
    const run = this.#run;
    this.#lane = undefined;
    if (run === undefined) return;
    const receipts = this.#receipts;
    this.#run = undefined;
    this.#receipts = undefined;
    this.sink.write(run.bytes(this.sink), receipts && this.settling(receipts));
    if (this.sink.bufferedBytes > 0) this.fallBehind();
  }

  /** Sends what is due, then ends the connection; a slow reader's backlog is dropped. Idempotent. */
  close(reason: CloseReason): void {
    if (!this.#isOpen) return;
    if (reason.code !== 1013) this.flushEverything();
    // What was held at the gate may have shown a reader that is too slow.
    if (!this.isOpen) return;
    this.markClosed();
    this.sink.close(reason, CLOSE_GRACE_MS);
  }

  /** The socket is gone: nothing more is accepted. Idempotent. */
  markClosed(): void {
    this.#isOpen = false;
    this.#run = undefined;
    this.#receipts = undefined;
    this.#outbox = undefined;
    this.#gate = undefined;
    this.means.slowReaders.forget(this);
  }

  private append(frame: Frame, receipt: Receipt | undefined, lane: Lane): void {
    this.#run = (this.#run ?? this.means.flusher.root).followedBy(frame, this.sink);
    if (receipt !== undefined) (this.#receipts ??= []).push(receipt);
    if (this.#run.byteLength > MAX_RUN_BYTES) this.flush();
    else if (this.#lane === undefined || (this.#lane === 'bulk' && lane === 'express')) {
      this.#lane = lane;
      this.means.flusher.add(this, lane);
    }
  }

  private hold(gate: ReplayGate, frame: Frame, receipt: Receipt | undefined): boolean {
    gate.hold(frame, receipt, this.sink.encode(frame).length);
    this.means.slowReaders.observe(this, this.backlogBytes);
    return this.#isOpen;
  }

  private queue(outbox: Outbox, frame: Frame, receipt: Receipt | undefined): boolean {
    const size = this.sink.encode(frame).length;
    const excess = this.backlogBytes + size - SHED_FROM_BYTES;
    if (excess > 0) {
      const { shed, refused } = outbox.shedFor(frame, excess);
      if (shed > 0) this.means.onShed(shed);
      if (refused) {
        this.#missedBytes += size;
        this.means.slowReaders.observe(this, this.backlogBytes, this.#missedBytes);
        return false;
      }
    }
    outbox.push(frame, receipt, this.sink);
    this.means.slowReaders.observe(this, this.backlogBytes, this.#missedBytes);
    return this.#isOpen;
  }

  private claim(receipt: Receipt): boolean {
    this.#sent ??= new SentLog();
    if (this.#sent.has(receipt.id)) return false;
    this.#sent.add(receipt.id, receipt.expiresAt);
    return true;
  }

  private settling(receipts: readonly Receipt[]): () => void {
    return () => {
      for (const receipt of receipts) receipt.taken(this);
    };
  }

  /** The kernel's buffer is full: from now on frames wait in the outbox, ordered by priority, until it has caught up. */
  private fallBehind(): void {
    this.#outbox = new Outbox();
    this.means.slowReaders.observe(this, this.backlogBytes);
    // An empty write behind the pending one: its callback says that the kernel took everything before it.
    this.sink.write(NOTHING, this.#drain);
  }

  readonly #drain = (): void => {
    const outbox = this.#outbox;
    if (outbox === undefined || !this.#isOpen) return;
    this.#missedBytes = 0;
    if (outbox.isEmpty) {
      this.#outbox = undefined;
      this.means.slowReaders.forget(this);
      return;
    }
    this.writeNext(outbox, DRAIN_CHUNK_BYTES, this.#drain);
    this.means.slowReaders.observe(this, this.backlogBytes);
  };

  private writeNext(outbox: Outbox, maxBytes: number, then?: () => void): void {
    const { bytes, receipts } = outbox.take(maxBytes, this.sink);
    const settle = this.settling(receipts);
    this.sink.write(bytes, () => {
      settle();
      then?.();
    });
  }

  private flushEverything(): void {
    if (this.#gate !== undefined) this.openGate();
    this.flush();
    if (this.#outbox !== undefined && !this.#outbox.isEmpty) this.writeNext(this.#outbox, Number.POSITIVE_INFINITY);
  }
}
