import { InvalidArgumentError, Option, type Command } from 'commander';
import { PRIORITIES } from '../notification/priority';
import { toRawJson, trustedRawJson, type RawJson } from '../protocol/raw-json';
import { baseUrl, configOf, parseList, reasonOf, withServer, type ServerOptions } from './server';
import { CommandError, EXIT, type Terminal } from './terminal';

interface SendOptions extends ServerOptions {
  readonly key?: string;
  readonly tenant?: string;
  readonly event?: string;
  readonly payload?: string;
  readonly template?: string;
  readonly variables?: string;
  readonly var?: Readonly<Record<string, string>>;
  readonly priority?: string;
  readonly ttl?: number;
  readonly correlationId?: string;
  readonly roles?: string[];
  readonly json?: true;
}

interface SendAnswer {
  readonly success: boolean;
  readonly notification_id: string;
  readonly delivered_to: number;
  readonly failed: number;
  readonly queued?: boolean;
}

/** Names of the body's members and their JSON text: a payload keeps every digit that was typed. */
type Body = Readonly<Record<string, RawJson | undefined>>;

export function addSendCommand(program: Command, terminal: Terminal): void {
  const send = program.command('send').description('Send a notification by the REST interface');
  const target = (usage: string, what: string): Command =>
    withContent(withServer(send.command(usage).description(what)));
  const post = async (path: string, whom: Body, options: SendOptions): Promise<void> => {
    await deliver(
      `/api/v1/notifications/${path}`,
      { ...whom, ...(await contentOf(options, terminal)) },
      options,
      terminal,
    );
  };

  target('user <id>', 'to one user').action((id: string, options: SendOptions) =>
    post('send', { target_user_id: toRawJson(id) }, options),
  );
  target('users <ids...>', 'to several users').action((ids: string[], options: SendOptions) =>
    post('send-to-users', { target_user_ids: toRawJson(ids) }, options),
  );
  target('channel <name>', 'to the subscribers of a channel').action((name: string, options: SendOptions) =>
    post('channel', { channel: toRawJson(name) }, options),
  );
  target('channels <names...>', 'to the subscribers of any of these channels').action(
    (names: string[], options: SendOptions) => post('channels', { channels: toRawJson(names) }, options),
  );
  target('broadcast', 'to everybody')
    .option('--roles <names>', 'comma list: only to those who have one of these roles', parseList)
    .action((options: SendOptions) =>
      post('broadcast', { audience: options.roles && toRawJson({ type: 'Roles', value: options.roles }) }, options),
    );
}

function withContent(command: Command): Command {
  return command
    .option('--event <type>', 'event type')
    .option('--payload <json>', 'payload as JSON; - reads it from the standard input')
    .option('--template <id>', 'take event type and payload from a template')
    .option('--var <name=value>', 'variable of the template; may be repeated', collectVariable)
    .option('--variables <json>', 'variables of the template as a JSON object')
    .addOption(new Option('--priority <priority>').choices(PRIORITIES))
    .option('--ttl <seconds>', 'life in seconds', parseTtl)
    .option('--correlation-id <id>', 'comes back in the metadata')
    .option('--tenant <id>', 'tenant that it is for')
    .option('--key <key>', 'API key (default: the configured one)')
    .option('--json', 'print the answer as it is');
}

async function contentOf(options: SendOptions, terminal: Terminal): Promise<Body> {
  const { event, template, variables } = options;
  const payload = options.payload === '-' ? await terminal.readInput() : options.payload;
  if (template === undefined && (event === undefined || payload === undefined)) {
    throw new CommandError('Say what to send: --event and --payload, or --template.', EXIT.usage);
  }
  const given = variables === undefined ? {} : parseObject(variables);
  return {
    template_id: optional(template),
    variables: template === undefined ? undefined : toRawJson({ ...given, ...options.var }),
    event_type: optional(event),
    payload: payload === undefined ? undefined : checkJson(payload),
    priority: optional(options.priority),
    ttl: optional(options.ttl),
    correlation_id: optional(options.correlationId),
  };
}

async function deliver(path: string, body: Body, options: SendOptions, terminal: Terminal): Promise<void> {
  const key = options.key ?? configuredKey(options.tenant, terminal);
  const headers = {
    'content-type': 'application/json',
    ...(key !== undefined && { 'x-api-key': key }),
    ...(options.tenant !== undefined && { 'x-tenant-id': options.tenant }),
  };
  const url = `${baseUrl(options, terminal)}${path}`;
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: textOf(body),
    signal: terminal.interrupted,
  }).catch((error: unknown) => {
    throw new CommandError(`Cannot reach ${url}: ${reasonOf(error)}`, EXIT.unreachable);
  });
  const text = await response.text();
  if (!response.ok) throw new CommandError(`The service refused it (${response.status}): ${text}`);
  const answer = JSON.parse(text) as SendAnswer;
  terminal.out(options.json === undefined ? summaryOf(answer) : text);
  if (!answer.success) throw new CommandError('Nobody could be reached, and it is not kept.');
}

/** A tenant's own key, if it has one, else the one that may name any tenant. */
function configuredKey(tenant: string | undefined, terminal: Terminal): string | undefined {
  const { bound, general } = configOf(terminal).apiKeys;
  return bound.find((own) => own.tenant === tenant)?.key ?? general[0];
}

function summaryOf({ notification_id: id, delivered_to: delivered, failed, queued }: SendAnswer): string {
  const parts = [
    `delivered to ${delivered}`,
    failed > 0 && `failed for ${failed}`,
    queued === true && 'kept for the absent',
  ];
  return `${id}: ${parts.filter((part) => part !== false).join(', ')}`;
}

function textOf(body: Body): string {
  const members = Object.entries(body).flatMap(([name, json]) =>
    json === undefined ? [] : [`${JSON.stringify(name)}:${json}`],
  );
  return `{${members.join(',')}}`;
}

function optional(value: string | number | undefined): RawJson | undefined {
  return value === undefined ? undefined : toRawJson(value);
}

function checkJson(text: string): RawJson {
  parseJson(text);
  return trustedRawJson(text);
}

function parseObject(text: string): object {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CommandError('--variables must be a JSON object.', EXIT.usage);
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`This is not JSON: ${text}\nText needs its own quotes: --payload '"hello"'`, EXIT.usage);
  }
}

function parseTtl(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 0)
    throw new InvalidArgumentError('It must be a whole number of seconds.');
  return seconds;
}

function collectVariable(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must have the form name=value.');
  return { ...previous, [text.slice(0, equals)]: text.slice(equals + 1) };
}
