import { Injectable } from '@nestjs/common';
import type { Eventual } from '../notification/eventual';
import { BatchService } from './batch.service';
import type { Exchange } from './exchange';
import { SendingService } from './sending.service';

/** Makes the body of a 200. */
export type FastHandler = (exchange: Exchange) => Eventual<object>;

/** The sending endpoints by exact path, answered without Express; what they do is the same service. */
@Injectable()
export class FastDoor {
  readonly #handlers: ReadonlyMap<string, FastHandler>;

  constructor(sending: SendingService, batches: BatchService) {
    this.#handlers = new Map<string, FastHandler>([
      ['/api/v1/notifications/send', (exchange) => sending.sendToUser(exchange)],
      ['/api/v1/notifications/send-to-users', (exchange) => sending.sendToUsers(exchange)],
      ['/api/v1/notifications/broadcast', (exchange) => sending.broadcast(exchange)],
      ['/api/v1/notifications/channel', (exchange) => sending.sendToChannel(exchange)],
      ['/api/v1/notifications/channels', (exchange) => sending.sendToChannels(exchange)],
      ['/api/v1/notifications/batch', (exchange) => batches.send(exchange)],
    ]);
  }

  /** undefined: not a route of this door. */
  find(method: string, path: string): FastHandler | undefined {
    return method === 'POST' ? this.#handlers.get(path) : undefined;
  }
}
