import { RawSocket } from './raw-socket';

export const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** What RFC 6455, 1.3 answers to it. */
export const SAMPLE_ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export type Headers = Readonly<Record<string, string | undefined>>;

/** An upgrade request as text; a header given as `undefined` is left out. */
export function upgradeRequest(path: string, headers: Headers = {}, method = 'GET'): string {
  const all: Headers = {
    Host: 'ara.test',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

export interface FrameTraits {
  readonly opcode?: number;
  readonly isFinal?: boolean;
  /** The three reserved bits as a number. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
}

const CONTINUATION = 0x0;
const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** A frame as a client sends it (RFC 6455, 5.2), or as no client should. */
export function clientFrame(payload: string | Buffer, traits: FrameTraits = {}): Buffer {
  const { opcode = TEXT, isFinal = true, reserved = 0, isMasked = true } = traits;
  const bytes = Buffer.from(payload);
  const head = header((isFinal ? 0x80 : 0) | (reserved << 4) | opcode, bytes.length, isMasked);
  if (!isMasked) return Buffer.concat([head, bytes]);
  for (let i = 0; i < bytes.length; i++) bytes[i] = bytes[i]! ^ MASK[i % 4]!;
  return Buffer.concat([head, MASK, bytes]);
}

/** A message in as many fragments as there are parts. */
export function fragments(parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part, i) =>
      clientFrame(part, { opcode: i === 0 ? TEXT : CONTINUATION, isFinal: i === parts.length - 1 }),
    ),
  );
}

/** A whole text message as a server sends it. */
export function serverText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([header(0x80 | TEXT, bytes.length, false), bytes]);
}

/** A close frame as a server sends it. */
export function serverClose(code?: number, reason = ''): Buffer {
  const body = code === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  if (code !== undefined) body.writeUInt16BE(code);
  return Buffer.concat([header(0x80 | CLOSE, body.length, false), body]);
}

function header(firstByte: number, length: number, isMasked: boolean): Buffer {
  const mask = isMasked ? 0x80 : 0;
  if (length < 126) return Buffer.from([firstByte, mask | length]);
  if (length < 65_536) return Buffer.from([firstByte, mask | 126, length >> 8, length & 0xff]);
  const head = Buffer.alloc(10);
  head[0] = firstByte;
  head[1] = mask | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** A WebSocket client that speaks in bytes and does nothing by itself: no pong, no close frame. */
export class WsWire {
  #from: number;

  private constructor(
    readonly raw: RawSocket,
    /** The server's whole answer to the upgrade. */
    readonly answer: string,
  ) {
    this.#from = answer.length;
  }

  /** Resolves when the 101 is here; fails on any other answer. */
  static async open(url: string, path: string, headers: Headers = {}, options = {}): Promise<WsWire> {
    const raw = await RawSocket.open(url, options);
    raw.write(upgradeRequest(path, headers));
    const text = await raw.until('the end of the answer', ({ text }) => text.includes('\r\n\r\n'));
    if (!text.startsWith('HTTP/1.1 101 ')) throw new Error(`no upgrade: ${text}`);
    return new WsWire(raw, text.slice(0, text.indexOf('\r\n\r\n') + 4));
  }

  send(...frames: Buffer[]): void {
    this.raw.write(Buffer.concat(frames));
  }

  say(message: unknown): void {
    this.send(clientFrame(typeof message === 'string' ? message : JSON.stringify(message)));
  }

  /** Fails unless exactly these bytes come next. */
  async expect(...frames: readonly Buffer[]): Promise<void> {
    const wanted = Buffer.concat(frames);
    const end = this.#from + wanted.length;
    await this.raw.until(`${wanted.length} bytes`, () => this.raw.bytes.length >= end).catch(() => undefined);
    const actual = this.raw.bytes.subarray(this.#from, end);
    expect(actual.toString('latin1')).toBe(wanted.toString('latin1'));
    this.#from = end;
  }

  /** What came and was not expected yet. */
  get rest(): Buffer {
    return this.raw.bytes.subarray(this.#from);
  }

  close(): void {
    this.raw.close();
  }
}
