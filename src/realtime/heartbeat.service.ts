import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import type { Connection } from '../connection/connection';
import { ConnectionRegistry } from '../connection/connection-registry';
import { Clock } from '../notification/clock';
import { CLOSE } from '../protocol/close-reason';
import { HEARTBEAT } from '../protocol/server-message';
import { Metrics } from '../telemetry/metrics';
import { Wheel } from './wheel';

const TICK_MS = 100;
const NOTHING = Buffer.alloc(0);
const DURATION_BUCKETS_MS = [10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/**
 * Keeps connections alive and notices dead ones: a heartbeat with a protocol ping per interval, phases spread. One timer
 * for all; O(1) per connection that comes or goes, one write per connection and interval.
 */
@Injectable()
export class HeartbeatService implements OnModuleInit, OnModuleDestroy {
  private readonly wheel: Wheel<Connection>;
  private readonly duration;
  private readonly timeouts;
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(
    private readonly config: AraConfig,
    private readonly registry: ConnectionRegistry,
    private readonly clock: Clock,
    metrics: Metrics,
  ) {
    this.wheel = new Wheel((config.webSocket.heartbeatSeconds * 1000) / TICK_MS);
    this.duration = metrics.histogram(
      'ara_heartbeat_duration_ms',
      'Time that sending one slice of heartbeats took, in milliseconds',
      DURATION_BUCKETS_MS,
    );
    this.timeouts = metrics.counter('ara_heartbeat_timeouts_total', 'Connections closed because they were silent');
  }

  onModuleInit(): void {
    const beat = setInterval(() => {
      this.beat();
    }, TICK_MS).unref();
    const sweep = setInterval(() => {
      this.closeStale();
    }, this.config.webSocket.cleanupSeconds * 1000).unref();
    this.#timers = [beat, sweep];
  }

  onModuleDestroy(): void {
    this.#timers.forEach(clearInterval);
  }

  add(connection: Connection): void {
    this.wheel.add(connection);
  }

  delete(connection: Connection): void {
    this.wheel.delete(connection);
  }

  private beat(): void {
    const start = performance.now();
    let count = 0;
    for (const connection of this.wheel.turn()) {
      // Nothing may follow a close frame.
      if (!connection.isOpen) continue;
      count++;
      // A stream says nothing: that its kernel takes what was written so far is its sign of life.
      if (connection.transport === 'sse') {
        connection.sink.write(NOTHING, () => {
          connection.lastActivity = this.clock.now();
        });
      }
      connection.send(HEARTBEAT);
      connection.sink.ping();
    }
    if (count > 0) this.duration.observe(performance.now() - start);
  }

  private closeStale(): void {
    const limit = this.clock.now() - this.config.webSocket.connectionTimeoutSeconds * 1000;
    for (const connection of [...this.registry.all]) {
      const isStale = connection.isOpen && connection.lastActivity < limit;
      if (!isStale || connection.identity.isProbe === true) continue;
      this.timeouts.inc();
      connection.close(CLOSE.stale);
    }
  }
}
