import { get, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Inbox } from './inbox';

export interface SseEvent {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
  readonly retry?: number;
}

/** An answer to `GET /sse` that is no stream. */
export class StreamRefused extends Error {
  constructor(
    readonly status: number,
    readonly headers: IncomingHttpHeaders,
    readonly text: string,
  ) {
    super(`stream refused: ${status} ${text}`);
  }
}

/** An SSE client with a reader of its own (WHATWG HTML, 9.2.6) that keeps the bytes as well. */
export class SseClient {
  readonly inbox = new Inbox<SseEvent>();
  readonly comments: string[] = [];
  readonly ended: Promise<void>;
  readonly headers: IncomingHttpHeaders;
  raw = '';
  #rest = '';

  private constructor(
    private readonly request: ClientRequest,
    private readonly answer: IncomingMessage,
  ) {
    this.headers = answer.headers;
    answer.setEncoding('utf8');
    answer.on('data', (text: string) => {
      this.#read(text);
    });
    this.ended = new Promise((resolve) => {
      answer.on('close', () => {
        this.inbox.end('the stream has ended');
        resolve();
      });
    });
    answer.on('error', () => undefined);
  }

  /** Resolves when the stream is open; rejects with {@link StreamRefused} on any status but 200. */
  static connect(url: string, headers: Record<string, string> = {}): Promise<SseClient> {
    return new Promise((resolve, reject) => {
      const request = get(url, { agent: false, headers: { accept: 'text/event-stream', ...headers } }, (answer) => {
        if (answer.statusCode === 200) {
          resolve(new SseClient(request, answer));
          return;
        }
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => {
          reject(new StreamRefused(answer.statusCode ?? 0, answer.headers, text));
        });
      });
      request.on('error', reject);
    });
  }

  /** The next unread event of this name, or the next that matches. */
  next(which?: string | ((event: SseEvent) => boolean), timeoutMs?: number): Promise<SseEvent> {
    return this.inbox.next(typeof which === 'string' ? ({ event }) => event === which : which, timeoutMs);
  }

  /** The next notification's object. */
  async notification(timeoutMs?: number): Promise<Record<string, unknown>> {
    return JSON.parse((await this.next('notification', timeoutMs)).data) as Record<string, unknown>;
  }

  /** Stops reading, so that the server's bytes pile up. */
  pause(): void {
    this.answer.pause();
  }

  resume(): void {
    this.answer.resume();
  }

  close(): Promise<void> {
    this.request.destroy();
    return this.ended;
  }

  #read(text: string): void {
    this.raw += text;
    this.#rest += text;
    for (let end = this.#rest.indexOf('\n\n'); end !== -1; end = this.#rest.indexOf('\n\n')) {
      this.#dispatch(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(end + 2);
    }
  }

  #dispatch(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      const name = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === '') this.comments.push(value);
      else if (name === 'data' && fields.has('data')) fields.set('data', `${fields.get('data')!}\n${value}`);
      else fields.set(name, value);
    }
    const data = fields.get('data');
    if (data === undefined) return;
    const [id, retry] = [fields.get('id'), fields.get('retry')];
    this.inbox.push({
      event: fields.get('event') ?? 'message',
      data,
      ...(id !== undefined && { id }),
      ...(retry !== undefined && { retry: Number(retry) }),
    });
  }
}
