import { Injectable } from '@nestjs/common';
import { type Eventual, whenThere } from '../notification/eventual';
import { BatchService } from './batch.service';
import { batchResponseJson, sendResponseJson } from './dto/response-json';
import type { Exchange } from './exchange';
import { SendingService } from './sending.service';

/** Makes the body of a 200: JSON text. */
export type FastHandler = (exchange: Exchange) => Eventual<string>;

/** The sending endpoints by exact path, answered without Express; what they do is the same service. */
@Injectable()
export class FastDoor {
  readonly #handlers: ReadonlyMap<string, FastHandler>;

  constructor(sending: SendingService, batches: BatchService) {
    this.#handlers = new Map<string, FastHandler>([
      ['/api/v1/notifications/send', (exchange) => whenThere(sending.sendToUser(exchange), sendResponseJson)],
      ['/api/v1/notifications/send-to-users', (exchange) => whenThere(sending.sendToUsers(exchange), toJson)],
      ['/api/v1/notifications/broadcast', (exchange) => whenThere(sending.broadcast(exchange), sendResponseJson)],
      ['/api/v1/notifications/channel', (exchange) => whenThere(sending.sendToChannel(exchange), toJson)],
      ['/api/v1/notifications/channels', (exchange) => whenThere(sending.sendToChannels(exchange), toJson)],
      ['/api/v1/notifications/batch', (exchange) => whenThere(batches.send(exchange), batchResponseJson)],
    ]);
  }

  /** undefined: not a route of this door. */
  find(method: string, path: string): FastHandler | undefined {
    return method === 'POST' ? this.#handlers.get(path) : undefined;
  }
}

function toJson(response: object): string {
  return JSON.stringify(response);
}
