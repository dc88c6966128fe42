import type { NotificationId } from '../notification/ids';
import type { Transport } from './sink';

/** The connection that took it, as far as a receipt cares. */
export interface Taker {
  readonly transport: Transport;
}

/** Travels with a stored frame and learns when a connection's kernel took it. */
export interface Receipt {
  readonly id: NotificationId;
  /** Milliseconds since the epoch; after that no store holds the entry any more. */
  readonly expiresAt: number;
  /** Called at most once per connection. */
  taken(connection: Taker): void;
}
