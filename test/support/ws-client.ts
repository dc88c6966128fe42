import { WebSocket, type ClientOptions } from 'ws';
import { Inbox } from './inbox';

/** A message of the server, parsed, and its text. */
export interface WsFrame {
  readonly type: string;
  readonly text: string;
  readonly [field: string]: unknown;
}

export interface WsClose {
  /** 1005: a close frame without status; 1006: no close frame at all. */
  readonly code: number;
  readonly reason: string;
}

/** The server's answer to an upgrade that it did not grant. */
export class UpgradeRefused extends Error {
  constructor(
    readonly status: number,
    readonly headers: Readonly<Record<string, unknown>>,
    readonly text: string,
  ) {
    super(`upgrade refused: ${status} ${text}`);
  }
}

/** A WebSocket client that remembers all it was told. */
export class WsClient {
  readonly inbox = new Inbox<WsFrame>();
  readonly closed: Promise<WsClose>;
  pings = 0;

  private constructor(readonly socket: WebSocket) {
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.inbox.end(`closed with ${code} ${reason.toString()}`);
        resolve({ code, reason: reason.toString() });
      });
    });
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      this.inbox.push({ ...(JSON.parse(text) as { type: string }), text });
    });
    socket.on('ping', () => this.pings++);
    // An error is always followed by `close`, which tests look at.
    socket.on('error', () => undefined);
  }

  /** Resolves once the upgrade is granted; rejects with {@link UpgradeRefused} or a network error. */
  static async connect(url: string, options: ClientOptions & { protocols?: string[] } = {}): Promise<WsClient> {
    const { protocols = [], ...rest } = options;
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...rest });
    const client = new WsClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (outgoing, answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          reject(new UpgradeRefused(answer.statusCode ?? 0, answer.headers, Buffer.concat(chunks).toString()));
          outgoing.destroy();
        });
      });
    });
    return client;
  }

  /** Strings and bytes go out as they are, anything else as JSON. */
  send(message: unknown): void {
    this.socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  /** The next unread frame of this type, or the next that matches. */
  next(which?: string | ((frame: WsFrame) => boolean), timeoutMs?: number): Promise<WsFrame> {
    return this.inbox.next(typeof which === 'string' ? ({ type }) => type === which : which, timeoutMs);
  }

  notification(timeoutMs?: number): Promise<WsFrame> {
    return this.next('notification', timeoutMs);
  }

  async subscribe(...channels: string[]): Promise<WsFrame> {
    this.send({ type: 'Subscribe', payload: { channels } });
    return this.next((frame) => frame.type === 'subscribed' || frame.type === 'error');
  }

  /** Takes all unread frames, after a ping and its pong: what the server had sent by then has arrived. */
  async settled(): Promise<WsFrame[]> {
    this.send('{"type":"Ping"}');
    await this.next('pong');
    return this.inbox.drain();
  }

  /** Stops reading, so that the server's bytes pile up. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(code?: number): Promise<WsClose> {
    this.socket.close(code);
    return this.closed;
  }

  /** Cuts the connection as a lost network would: no close frame. */
  cut(): Promise<WsClose> {
    this.socket.terminate();
    return this.closed;
  }
}
