import { type Encoding, Sink, type Transport } from '../../src/connection/sink';
import type { CloseReason } from '../../src/protocol/close-reason';
import type { Frame } from '../../src/protocol/frame';

interface Pending {
  readonly bytes: Buffer;
  taken: number;
  readonly onTaken: (() => void) | undefined;
}

/**
 * A socket whose kernel takes as many bytes as the test allows. As with Node's sockets, a write counts as buffered until
 * its last byte is taken, and callbacks never run within the write: they run in a microtask, or in `runCallbacks`.
 */
export class FakeSink extends Sink {
  readonly encoding: Encoding;
  /** Every write of at least one byte, in order, whether taken or not. */
  readonly writes: Buffer[] = [];
  readonly closes: { readonly reason: CloseReason; readonly graceMs: number }[] = [];
  isPaused = false;
  pings = 0;
  #pending: Pending[] = [];
  #callbacks: (() => void)[] = [];
  #taken: Buffer[] = [];
  #isDead = false;

  /** `room`: bytes that the kernel takes before it is full. */
  constructor(
    readonly transport: Transport = 'websocket',
    private room = Number.POSITIVE_INFINITY,
    encoding?: Encoding,
  ) {
    super();
    this.encoding = encoding ?? transport;
  }

  encode(frame: Frame): Buffer {
    return this.transport === 'websocket' ? frame.webSocket : frame.sseChunk;
  }

  write(bytes: Buffer, onTaken?: () => void): void {
    if (this.#isDead) return;
    if (bytes.length > 0) this.writes.push(bytes);
    this.#pending.push({ bytes, taken: 0, onTaken });
    this.take(0);
  }

  get bufferedBytes(): number {
    return this.#pending.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  ping(): void {
    this.pings++;
  }

  close(reason: CloseReason, graceMs: number): void {
    this.closes.push({ reason, graceMs });
  }

  /** The reader reads: the kernel has room for so many more bytes. */
  take(bytes: number): void {
    this.room += bytes;
    for (let first = this.#pending[0]; first !== undefined; first = this.#pending[0]) {
      const count = Math.min(this.room, first.bytes.length - first.taken);
      this.room -= count;
      this.#taken.push(first.bytes.subarray(first.taken, first.taken + count));
      first.taken += count;
      if (first.taken < first.bytes.length) return;
      this.#pending.shift();
      if (first.onTaken === undefined) continue;
      this.#callbacks.push(first.onTaken);
      queueMicrotask(() => {
        this.runCallbacks();
      });
    }
  }

  /** Tells the writers what was taken, without waiting for the microtask. */
  runCallbacks(): void {
    for (let next = this.#callbacks.shift(); next !== undefined; next = this.#callbacks.shift()) next();
  }

  /** The connection broke: what the kernel has not taken is lost, and nobody is told. */
  die(): void {
    this.#isDead = true;
    this.#pending = [];
  }

  get takenBytes(): Buffer {
    return Buffer.concat(this.#taken);
  }

  /** The JSON texts of the frames that the kernel has taken as a whole. */
  get texts(): string[] {
    return this.transport === 'websocket' ? webSocketTexts(this.takenBytes) : sseTexts(this.takenBytes);
  }

  /** Ids of the notifications among them. */
  get ids(): string[] {
    return this.texts.flatMap((text) => {
      const { id } = JSON.parse(text) as { id?: string };
      return id === undefined ? [] : [id];
    });
  }
}

/** Reads unmasked, unfragmented text frames. */
function webSocketTexts(bytes: Buffer): string[] {
  const texts: string[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    if (bytes[at] !== 0x81) throw new Error(`no text frame begins at byte ${at}`);
    const short = bytes[at + 1] ?? 0;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + header > bytes.length) break;
    const size =
      header === 2 ? short : header === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    if (at + header + size > bytes.length) break;
    texts.push(bytes.toString('utf8', at + header, at + header + size));
    at += header + size;
  }
  return texts;
}

/** Reads HTTP chunks with one event each. */
function sseTexts(bytes: Buffer): string[] {
  const texts: string[] = [];
  let at = 0;
  for (let lineEnd = bytes.indexOf('\r\n', at); lineEnd !== -1; lineEnd = bytes.indexOf('\r\n', at)) {
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const start = lineEnd + 2;
    if (start + size + 2 > bytes.length) break;
    const data = /^data: (.*)$/m.exec(bytes.toString('utf8', start, start + size))?.[1];
    if (data === undefined) throw new Error(`the chunk at byte ${at} holds no event`);
    texts.push(data);
    at = start + size + 2;
  }
  return texts;
}
