import WebSocket from 'ws';
import { CommandError } from './terminal';

/** The JSON text of one message, as it came. */
export type OnMessage = (text: string) => void;

export interface Stream {
  /** Base URL of the service, `http…`. */
  readonly url: string;
  readonly token: string;
  readonly channels: readonly string[] | undefined;
  readonly signal: AbortSignal;
  readonly onOpen: () => void;
  readonly onMessage: (text: string, reply: (message: unknown) => void) => void;
}

/** Listens until the connection ends; gives back why. Rejects with CommandError when the service refuses the client for good. */
export function listenWebSocket({ url, token, channels, signal, onOpen, onMessage }: Stream): Promise<string> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, { headers: { authorization: `Bearer ${token}` } });
  const reply = (message: unknown): void => {
    socket.send(JSON.stringify(message));
  };
  const close = (): void => {
    socket.close();
  };
  signal.addEventListener('abort', close, { once: true });
  return new Promise<string>((resolve, reject) => {
    let failure = '';
    socket.on('open', () => {
      onOpen();
      if (channels !== undefined) reply({ type: 'Subscribe', payload: { channels } });
    });
    socket.on('message', (data: Buffer) => {
      onMessage(data.toString(), reply);
    });
    socket.on('unexpected-response', (request, answer) => {
      if (isFinal(answer.statusCode ?? 0))
        reject(new CommandError(`The service refused the token or the request (${answer.statusCode ?? 0})`));
      failure = `status ${answer.statusCode ?? 0}`;
      request.destroy();
      socket.terminate();
    });
    socket.on('error', (error) => {
      failure ||= error.message;
    });
    socket.on('close', (code, reason) => {
      const text = reason.toString();
      resolve(failure || `closed with ${code}${text === '' ? '' : ` (${text})`}`);
    });
  }).finally(() => {
    signal.removeEventListener('abort', close);
  });
}

/** As {@link listenWebSocket}, over Server-Sent Events. */
export async function listenSse({ url, token, channels, signal, onOpen, onMessage }: Stream): Promise<string> {
  const query = channels === undefined ? '' : `?channels=${encodeURIComponent(channels.join(','))}`;
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  const response = await fetch(`${url}/sse${query}`, { headers, signal });
  if (!response.ok || response.body === null) {
    const text = await response.text();
    if (isFinal(response.status))
      throw new CommandError(`The service refused the token or the request (${response.status}): ${text}`);
    return `status ${response.status}: ${text}`;
  }
  onOpen();
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + text).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) onMessage(data, () => undefined);
    }
  }
  return 'the stream has ended';
}

/** Trying again would give the same answer: all client errors but "too many". */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 429;
}
