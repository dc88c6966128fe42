import { setTimeout as wait } from 'node:timers/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { members } from '../protocol/raw-json';
import { listenSse, listenWebSocket } from './listen-stream';
import { baseUrl, configOf, parseList, reasonOf, withServer, type ServerOptions } from './server';
import { CommandError, EXIT, type Terminal } from './terminal';
import { mintToken } from './token';

interface ListenOptions extends ServerOptions {
  readonly token?: string;
  readonly user: string;
  readonly tenant?: string;
  readonly channels?: string[];
  readonly sse?: true;
  readonly ack?: true;
  readonly count?: number;
  readonly reconnect: boolean;
  readonly json?: true;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
const TOKEN_SECONDS = 86_400;

export function addListenCommand(program: Command, terminal: Terminal): void {
  withServer(program.command('listen'))
    .description('Print what a user is told, until Ctrl+C')
    .option('--token <jwt>', "the user's token (default: one made with the configured secret)")
    .option('--user <id>', 'whose token to make', 'demo')
    .option('--tenant <id>', 'tenant of the token to make')
    .option('--channels <names>', 'comma list of channels to subscribe to', parseList)
    .option('--sse', 'over Server-Sent Events instead of a WebSocket')
    .option('--ack', 'acknowledge every notification (WebSocket only)')
    .option('--count <n>', 'end after so many notifications', parseCount)
    .option('--no-reconnect', 'end when the connection ends')
    .option('--json', 'print every message as it came, one JSON object per line')
    .action((options: ListenOptions) => listen(options, terminal));
}

async function listen(options: ListenOptions, terminal: Terminal): Promise<void> {
  const url = baseUrl(options, terminal);
  const enough = new AbortController();
  const signal = AbortSignal.any([terminal.interrupted, enough.signal]);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  const isOver = (): boolean => signal.aborted;
  let attempt = 0;
  let opened = 0;

  const connectOnce = (): Promise<string> =>
    (options.sse === true ? listenSse : listenWebSocket)({
      url,
      // A made token is made anew for each connection, so that listening outlasts it.
      token:
        options.token ??
        mintToken(configOf(terminal).jwt, { ...options, channels: undefined, ttlSeconds: TOKEN_SECONDS }),
      channels: options.channels,
      signal,
      onOpen: () => {
        opened++;
        attempt = 0;
        terminal.err(`listening to ${url}`);
      },
      onMessage: (text, reply) => {
        if (left === 0) return;
        terminal.out(options.json === true ? text : describe(text));
        const { type, id } = JSON.parse(text) as { type: string; id: string };
        if (type !== 'notification') return;
        if (options.ack === true) reply({ type: 'Ack', payload: { notification_id: id } });
        if (--left === 0) enough.abort();
      },
    });

  while (!isOver()) {
    const reason = await connectOnce().catch((error: unknown) => {
      if (error instanceof CommandError) throw error;
      return reasonOf(error);
    });
    if (isOver()) return;
    if (opened === 0) throw new CommandError(`Cannot reach ${url}: ${reason}`, EXIT.unreachable);
    if (!options.reconnect) throw new CommandError(`The connection ended: ${reason}`);
    const delay = Math.min(FIRST_RETRY_MS * 2 ** attempt++, LONGEST_RETRY_MS) * (0.5 + Math.random() / 2);
    terminal.err(`${reason}; next attempt in ${(delay / 1000).toFixed(1)} s`);
    await wait(delay, undefined, { signal }).catch(() => undefined);
  }
}

/** One line for people. The payload is shown as it came: reading it into numbers would round the large ones. */
function describe(text: string): string {
  const message = JSON.parse(text) as Readonly<Record<string, unknown>>;
  if (message['type'] !== 'notification') return text;
  const payload = members(text).find(({ key }) => key === 'payload');
  const shown = payload === undefined ? '' : text.slice(payload.start, payload.end);
  return `${String(message['occurred_at'])} ${String(message['event_type'])} ${shown}`;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return count;
}
