import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import type { Connection } from '../connection/connection';
import { Clock } from '../notification/clock';
import { CLOSE } from '../protocol/close-reason';
import { errorFrame } from '../protocol/server-message';

const TICK_MS = 250;
const TOKEN_EXPIRED = errorFrame('TOKEN_EXPIRED', 'Token expired');

/**
 * Closes live connections whose token has expired, within a second; off in development unless asked for. One timer for
 * all; O(1) per connection that comes or goes.
 */
@Injectable()
export class TokenExpiryService implements OnModuleInit, OnModuleDestroy {
  /** By the second in which they are due: one timer for all, so that no date is too far away for it. */
  readonly #due = new Map<number, Set<Connection>>();
  readonly #secondOf = new Map<Connection, number>();
  #checked: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: AraConfig,
    private readonly clock: Clock,
  ) {
    this.#checked = secondOf(clock.now());
  }

  onModuleInit(): void {
    if (!this.config.webSocket.closeOnTokenExpiry) return;
    this.#timer = setInterval(() => {
      this.closeExpired();
    }, TICK_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  add(connection: Connection): void {
    if (!this.config.webSocket.closeOnTokenExpiry) return;
    const second = this.dueSecond(connection);
    this.#secondOf.set(connection, second);
    const due = this.#due.get(second);
    if (due === undefined) this.#due.set(second, new Set([connection]));
    else due.add(connection);
  }

  delete(connection: Connection): void {
    const second = this.#secondOf.get(connection);
    if (second === undefined) return;
    this.#secondOf.delete(connection);
    const due = this.#due.get(second);
    if (due?.delete(connection) === true && due.size === 0) this.#due.delete(second);
  }

  /** The first whole second at which it must be gone, and never one that was checked already. */
  private dueSecond({ identity }: Connection): number {
    return Math.max(Math.ceil(identity.expiresAt / 1000) + this.config.jwt.leewaySeconds, this.#checked + 1);
  }

  private closeExpired(): void {
    const now = secondOf(this.clock.now());
    for (; this.#checked < now; this.#checked++) {
      const due = this.#due.get(this.#checked + 1);
      if (due === undefined) continue;
      this.#due.delete(this.#checked + 1);
      for (const connection of due) {
        if (connection.transport === 'sse') connection.send(TOKEN_EXPIRED);
        connection.close(CLOSE.tokenExpired);
      }
    }
  }
}

function secondOf(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
