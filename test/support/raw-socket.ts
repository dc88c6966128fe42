import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** `HTTP/1.1 200 OK`. */
  readonly statusLine: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A TCP connection that says exactly what it is told and keeps every byte that comes back. */
export class RawSocket {
  /** Resolves when the server has ended its side, or the connection broke. */
  readonly ended: Promise<void>;
  hasEnded = false;
  #received: Buffer[] = [];
  #arrived = (): void => undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.#received.push(chunk);
      this.#arrived();
    });
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.hasEnded = true;
        this.#arrived();
        resolve();
      };
      socket.on('end', end);
      socket.on('close', end);
    });
  }

  /** `keepOpen`: this side stays open when the server has ended its own, as some clients leave it. */
  static open(url: string, { keepOpen = false } = {}): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: keepOpen });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.setNoDelay(true);
        resolve(new RawSocket(socket));
      });
    });
  }

  get bytes(): Buffer {
    if (this.#received.length !== 1) this.#received = [Buffer.concat(this.#received)];
    return this.#received[0]!;
  }

  get text(): string {
    return this.bytes.toString();
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** Waits until what has arrived matches; fails when the server ends, or after `timeoutMs`, and shows what came. */
  async until(what: string, matches: (socket: this) => boolean, timeoutMs = 5_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (matches(this)) return this.text;
      const left = deadline - Date.now();
      if (this.hasEnded || left <= 0) {
        throw new Error(
          `${this.hasEnded ? 'ended' : 'late'} before ${what}: ${JSON.stringify(this.text.slice(-1_000))}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#arrived = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }

  /** Sends one request and gives the answer, read to its end; the server must end the connection. */
  static async ask(url: string, request: string): Promise<RawAnswer> {
    const socket = await RawSocket.open(url);
    socket.write(request);
    await within(5_000, socket.ended, `no end of the answer to ${request.split('\r\n', 1)[0] ?? ''}`);
    socket.close();
    return parseAnswer(socket.text);
  }
}

export function parseAnswer(text: string): RawAnswer {
  const headEnd = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  return {
    statusLine,
    status: Number(statusLine.split(' ')[1]),
    headers: Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    ),
    body: text.slice(headEnd + 4),
  };
}

/** The promise's value, or a failure after `ms`. */
export async function within<T>(ms: number, promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${otherwise} (${ms} ms)`));
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => {
    clearTimeout(timer);
  });
}
