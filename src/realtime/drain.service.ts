import { setTimeout as wait } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import type { Connection } from '../connection/connection';
import { ConnectionRegistry } from '../connection/connection-registry';
import { Flusher } from '../connection/flusher';
import { CLOSE } from '../protocol/close-reason';
import type { Frame } from '../protocol/frame';
import { shutdownFrame } from '../protocol/server-message';
import { ATTRIBUTE, SPAN } from '../telemetry/span-names';
import { Tracer } from '../telemetry/tracer';
import { Handshake } from './handshake';
import { shutdownJitterMs } from './retry-hint';
import { SessionService } from './session.service';

/** Closed at a time, so that clients come back spread out and the loop stays responsive. */
const SLICE = 250;
const SLICE_PAUSE_MS = 20;
/** Clients get this long to read the notice before their sockets are closed. */
const NOTICE_MS = 200;
const CLOSE_WAIT_MS = 6000;
/** Distinct jitters: each is encoded once and shared. */
const HINTS = 256;

/** Empties the node before the process ends: clients are told, then closed in slices; SSE streams, too. */
@Injectable()
export class DrainService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(DrainService.name);

  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly handshake: Handshake,
    private readonly sessions: SessionService,
    private readonly flusher: Flusher,
    private readonly tracer: Tracer,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.handshake.drain();
    const connections = [...this.registry.all];
    await this.tracer.trace(SPAN.gracefulShutdown, (span) => {
      span.set(ATTRIBUTE.totalConnections, connections.length);
      return this.empty(connections);
    });
  }

  private async empty(connections: readonly Connection[]): Promise<void> {
    const told = new WeakSet<Connection>();
    if (connections.length > 0) {
      this.logger.log(`Draining ${connections.length} connections`);
      this.tell(connections, told);
      await wait(NOTICE_MS);
    }
    for (let i = 0; i < connections.length; i += SLICE) {
      for (const connection of connections.slice(i, i + SLICE)) connection.close(CLOSE.shutdown);
      await wait(SLICE_PAUSE_MS);
    }
    const deadline = performance.now() + CLOSE_WAIT_MS;
    while (performance.now() < deadline) {
      const left = [...this.registry.all];
      if (left.length === 0 && !this.sessions.hasArriving) return;
      // Among them may be one that was on its way in when the drain began; closing sends what is due first.
      this.tell(
        left.filter((connection) => !told.has(connection)),
        told,
      );
      for (const connection of left) connection.close(CLOSE.shutdown);
      await wait(SLICE_PAUSE_MS);
    }
  }

  private tell(connections: readonly Connection[], told: WeakSet<Connection>): void {
    const hints: Frame[] = Array.from({ length: Math.min(HINTS, connections.length) }, () =>
      shutdownFrame(shutdownJitterMs()),
    );
    connections.forEach((connection, index) => {
      const hint = hints[index % hints.length];
      if (hint !== undefined) connection.send(hint, undefined, 'bulk');
      told.add(connection);
    });
    this.flusher.flushAll();
  }
}
