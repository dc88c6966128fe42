import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { setTimeout as wait } from 'node:timers/promises';
import { AckService } from '../ack/ack.service';
import type { Connection } from '../connection/connection';
import { ConnectionRegistry } from '../connection/connection-registry';
import { Clock } from '../notification/clock';
import { Frame } from '../protocol/frame';
import { QueueService } from '../queue/queue.service';
import type { Position, StoredEntry, StreamKey } from '../queue/queue-store';
import { NotificationTraces } from '../telemetry/notification-traces';
import { RepeatedWarnings } from '../telemetry/repeated-warnings';
import { SettlementService } from './settlement.service';

/** Uncommitted entries reach an open connection that was not sent them within this time. */
const RECOVERY_INTERVAL_MS = 4000;
/** A replay waits for its reader beyond this backlog, so that memory stays bounded however much is stored. */
const REPLAY_BACKLOG_BYTES = 256 * 1024;
const BACKLOG_POLL_MS = 10;

/** Gives connections what the store keeps for their users: all of it when they open, and what was missed while they are. */
@Injectable()
export class ReplayService implements OnModuleInit, OnModuleDestroy {
  private readonly warnings: RepeatedWarnings;
  #timer: NodeJS.Timeout | undefined;
  #recovery: Promise<void> | undefined;

  constructor(
    private readonly queue: QueueService,
    private readonly ack: AckService,
    private readonly registry: ConnectionRegistry,
    private readonly settlement: SettlementService,
    private readonly clock: Clock,
    private readonly traces: NotificationTraces,
  ) {
    // While the store is away, every connection that opens lacks its replay.
    this.warnings = new RepeatedWarnings(new Logger(ReplayService.name), clock);
  }

  onModuleInit(): void {
    if (!this.queue.isEnabled) return;
    this.#timer = setInterval(() => {
      this.#recovery ??= this.recover().finally(() => (this.#recovery = undefined));
    }, RECOVERY_INTERVAL_MS).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.#timer);
    await this.#recovery;
  }

  /** Makes a connection that is about to be registered wait for its replay; nothing happens while the queue is off. */
  begin(connection: Connection): void {
    if (this.queue.isEnabled) connection.closeGate();
  }

  /**
   * Sends everything kept for the connection's user, page by page, oldest first, and opens the gate when a page came
   * back empty. Call it when the registration is visible to all nodes. Never rejects: what a dead store withheld
   * follows by recovery.
   */
  async run(connection: Connection): Promise<void> {
    if (!this.queue.isEnabled) return;
    try {
      await this.sendAll(connection);
    } catch (error) {
      this.warnings.warn('replay', 'Could not replay the queue', { connection_id: connection.identity.id, err: error });
    } finally {
      connection.openGate();
    }
  }

  private async sendAll(connection: Connection): Promise<void> {
    const stream: StreamKey = { tenant: connection.tenant, user: connection.user };
    let after: Position | undefined;
    while (connection.isOpen) {
      const page = await this.queue.readAfter(stream, after);
      if (page.length === 0) return;
      await this.give(connection, page, 'replay');
      after = page.at(-1)?.position;
    }
  }

  /** What a node that died, or a store that was away, left undelivered to users who are connected here. */
  private async recover(): Promise<void> {
    try {
      await this.settlement.retryFailed();
      const streams: StreamKey[] = [];
      for (const [tenant, connections] of this.registry.tenants) {
        for (const user of connections.users.keys()) streams.push({ tenant, user });
      }
      for await (const { stream, entries } of this.queue.readMany(streams)) await this.giveMissing(stream, entries);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.warnings.warn('recover', `Could not look for undelivered entries: ${reason}`);
    }
    const now = this.clock.now();
    for (const connection of this.registry.all) connection.pruneSent(now);
  }

  private async giveMissing(stream: StreamKey, firstPage: readonly StoredEntry[]): Promise<void> {
    let page = firstPage;
    while (page.length > 0) {
      const connections = this.registry.tenant(stream.tenant)?.ofUser(stream.user).slice() ?? [];
      // An append whose answer never came was carried out after its commit: it would stay until nobody remembers it.
      const isSettled = ({ id }: StoredEntry): boolean => connections.some((connection) => connection.hasSettled(id));
      const open = page.filter((entry) => !isSettled(entry));
      await Promise.all(page.filter(isSettled).map(({ id }) => this.settlement.commit({ ...stream, id })));
      for (const connection of connections) {
        // A replay under way brings everything by itself.
        if (!connection.isOpen || connection.isReplaying) continue;
        const missing = open.filter(({ id }) => !connection.wasGiven(id));
        if (missing.length > 0) await this.give(connection, missing, 'send');
      }
      const last = page.at(-1);
      page = last === undefined ? [] : await this.queue.readAfter(stream, last.position);
    }
  }

  private async give(connection: Connection, entries: readonly StoredEntry[], how: 'replay' | 'send'): Promise<void> {
    const { tenant, user, transport } = connection;
    if (transport === 'websocket') await Promise.all(entries.map(({ id }) => this.ack.track(tenant, id, [user])));
    const isTracked =
      this.registry
        .tenant(tenant)
        ?.ofUser(user)
        .some((one) => one.isOpen && one.transport === 'websocket') ?? false;
    for (const entry of entries) {
      const receipt = this.settlement.receipt({ tenant, user, id: entry.id }, entry.expiresAt, isTracked);
      // Without a priority of its own it leaves a backlog first: what was kept goes ahead of what is new.
      const frame = new Frame(entry.json, { event: 'notification', id: entry.id });
      this.traces.remember(frame);
      if (how === 'replay') {
        await roomFor(connection);
        connection.replay(frame, receipt);
      } else connection.send(frame, receipt);
    }
    this.queue.countReplayed(entries.length);
  }
}

/** Resolves when the reader has taken most of what it was given, or is gone. */
async function roomFor(connection: Connection): Promise<void> {
  while (connection.isOpen && connection.unwrittenBytes > REPLAY_BACKLOG_BYTES) await wait(BACKLOG_POLL_MS);
}
