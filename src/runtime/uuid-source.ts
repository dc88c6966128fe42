import { randomFillSync } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { V7Generator } from 'uuidv7';
import {
  type ConnectionId,
  connectionId,
  IdSource,
  mintedNotificationId,
  type NotificationId,
} from '../notification/ids';

const UUID_LENGTH = 36;
const DIGITS = Buffer.from('0123456789abcdef');
/** The library's own source asks the system for 32 bytes at a time, which costs ten times an id. */
const RANDOM_WORDS = 1024;

/** UUIDs of version 7 (RFC 9562): ordered by time, hence kind to indexes. */
@Injectable()
export class UuidSource extends IdSource {
  readonly #generator = new V7Generator(new RandomWords());
  readonly #text = Buffer.alloc(UUID_LENGTH, '-');

  notificationId(): NotificationId {
    return mintedNotificationId(this.#next());
  }

  connectionId(): ConnectionId {
    return connectionId(this.#next());
  }

  /** Digit by digit into one buffer: a text that is put together of pieces has to be flattened by everybody who reads it. */
  #next(): string {
    const { bytes } = this.#generator.generate();
    let at = 0;
    for (let i = 0; i < bytes.length; i++) {
      // Hyphens stand before bytes 4, 6, 8 and 10, and stay from one text to the next.
      if (i === 4 || i === 6 || i === 8 || i === 10) at++;
      const byte = bytes[i] ?? 0;
      this.#text[at++] = DIGITS[byte >> 4] ?? 0;
      this.#text[at++] = DIGITS[byte & 0x0f] ?? 0;
    }
    return this.#text.toString('latin1');
  }
}

/** Random numbers of the system, fetched by the page. */
class RandomWords {
  readonly #words = new Uint32Array(RANDOM_WORDS);
  #next = RANDOM_WORDS;

  nextUint32(): number {
    if (this.#next === RANDOM_WORDS) {
      randomFillSync(this.#words);
      this.#next = 0;
    }
    return this.#words[this.#next++] ?? 0;
  }
}
