import type { NotificationId } from '../notification/ids';
import { PRIORITY_RANK, type Priority } from '../notification/priority';

/** The `event:` of an SSE event. */
export type SseEventName = 'connected' | 'notification' | 'heartbeat' | 'message' | 'error';

export interface FrameTraits {
  readonly event: SseEventName;
  /** Set for notifications: clients and stores tell repeats by it. */
  readonly id?: NotificationId;
  /** Decides who leaves a backlog first (contract of connections: docs/websocket.md, "slow readers"). */
  readonly priority?: Priority;
  /** May be dropped for a reader with a large backlog: frames of broadcast and channel targets. */
  readonly mayBeShed?: boolean;
  /** An SSE `retry:` line in milliseconds. */
  readonly retryMs?: number;
}

/**
 * One message to clients. It is rendered on first use, once per transport, and remembers the bytes: a frame without a
 * recipient costs nothing, one with ten thousand is encoded once.
 */
export class Frame {
  readonly event: SseEventName;
  readonly id: NotificationId | undefined;
  /** 0 leaves a backlog first. */
  readonly rank: number;
  readonly mayBeShed: boolean;
  readonly #retryMs: number | undefined;
  #source: string | (() => string);
  #webSocket: Buffer | undefined;
  #sseChunk: Buffer | undefined;

  constructor(source: string | (() => string), traits: FrameTraits) {
    this.#source = source;
    this.event = traits.event;
    this.id = traits.id;
    this.rank = PRIORITY_RANK[traits.priority ?? 'Critical'];
    this.mayBeShed = traits.mayBeShed ?? false;
    this.#retryMs = traits.retryMs;
  }

  /** The JSON text: what a WebSocket text message and an SSE `data:` line hold. Never contains a line end. */
  get json(): string {
    if (typeof this.#source !== 'string') this.#source = this.#source();
    return this.#source;
  }

  /** A complete unmasked, unfragmented text frame (RFC 6455, 5.2). Shared: do not write into it. */
  get webSocket(): Buffer {
    return (this.#webSocket ??= textFrame(this.json));
  }

  /** One SSE event, wrapped as one chunk of a chunked HTTP body (RFC 9112, 7.1). Shared: do not write into it. */
  get sseChunk(): Buffer {
    return (this.#sseChunk ??= httpChunk(this.sseEvent));
  }

  /** One SSE event (WHATWG HTML, 9.2.6) as text. */
  get sseEvent(): string {
    const id = this.id === undefined ? '' : `id: ${this.id}\n`;
    const retry = this.#retryMs === undefined ? '' : `retry: ${this.#retryMs}\n`;
    return `event: ${this.event}\n${id}${retry}data: ${this.json}\n\n`;
  }
}

/** Wraps text as one chunk of a chunked HTTP body. */
export function httpChunk(text: string): Buffer {
  const size = Buffer.byteLength(text);
  return Buffer.from(`${size.toString(16)}\r\n${text}\r\n`);
}

/** First byte of an unfragmented text message. */
export const FIN_AND_TEXT = 0x81;
const LENGTH_IN_16_BITS = 126;
const LENGTH_IN_64_BITS = 127;

function textFrame(text: string): Buffer {
  const size = Buffer.byteLength(text);
  const frame = frameFor(size, FIN_AND_TEXT);
  frame.write(text, frame.length - size);
  return frame;
}

/** An unmasked WebSocket frame with its header written and room for `size` bytes of content at its end. */
export function frameFor(size: number, firstByte: number): Buffer {
  const headerSize = size < LENGTH_IN_16_BITS ? 2 : size < 65_536 ? 4 : 10;
  // Of Node's pool, which is ten times cheaper: those who wait for the same slow reader mostly share its pages.
  const frame = Buffer.allocUnsafe(headerSize + size);
  frame[0] = firstByte;
  if (headerSize === 2) frame[1] = size;
  else if (headerSize === 4) {
    frame[1] = LENGTH_IN_16_BITS;
    frame.writeUInt16BE(size, 2);
  } else {
    frame[1] = LENGTH_IN_64_BITS;
    frame.writeBigUInt64BE(BigInt(size), 2);
  }
  return frame;
}
