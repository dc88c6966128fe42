import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { parseChannelName, parseUserId } from '../../src/notification/ids';
import { AraProcess } from '../support/ara-process';
import { hostileId, inPath } from '../support/hostile';
import type { HttpAnswer } from '../support/http';
import { repeats } from '../support/repeats';
import type { SseClient } from '../support/sse-client';
import { until } from '../support/until';
import type { WsClient } from '../support/ws-client';

/** `ISOLATION_SEQUENCES=10000 npx jest test/e2e/isolation` asks longer and differently each time; ISOLATION_SEED repeats a run. */
const { ISOLATION_SEQUENCES, ISOLATION_SEED } = process.env;
const SEQUENCES = Number(ISOLATION_SEQUENCES ?? repeats(1_000));
const SEED = Number(ISOLATION_SEED ?? (ISOLATION_SEQUENCES === undefined ? 1 : Date.now() % 0x7fff_ffff));
const CHUNK = 100;
/** So that broadcasts stay cheap; the oldest connection makes room. */
const MAX_CONNECTIONS = 6;

/** Names that look alike, and such that a careless prefix or a careless object would take for another's. */
const NAMES = ['default', 'acme', 'tenant-acme', '\u0430cme', '__proto__'] as const;

/** An id is hostile text, the name that a tenant alone uses, or either behind somebody's prefix. */
interface Id {
  readonly text: string;
  readonly nameOf: number | undefined;
  readonly prefixOf: number | undefined;
}

type Target =
  | { readonly type: 'user' | 'channel'; readonly value: Id }
  | { readonly type: 'users' | 'channels'; readonly value: readonly Id[] }
  | { readonly type: 'broadcast' };

type Action =
  | { readonly kind: 'send'; readonly target: Target; readonly template: Id | undefined }
  | { readonly kind: 'batch'; readonly targets: readonly Target[]; readonly atomic: boolean }
  | { readonly kind: 'template'; readonly verb: 'create' | 'update' | 'delete' | 'render'; readonly id: Id }
  | { readonly kind: 'connect'; readonly transport: 'ws' | 'sse'; readonly user: Id }
  | { readonly kind: 'disconnect'; readonly which: number }
  | { readonly kind: 'subscribe' | 'unsubscribe'; readonly which: number; readonly channels: readonly Id[] }
  | { readonly kind: 'ack'; readonly which: number; readonly of: number }
  | { readonly kind: 'read'; readonly path: string; readonly id: Id; readonly how: 'encoded' | 'twice' | 'raw' };

interface Step {
  readonly tenant: number;
  readonly usesOwnKey: boolean;
  readonly action: Action;
}

interface Client {
  readonly user: string;
  readonly ws: WsClient | undefined;
  readonly sse: SseClient | undefined;
  readonly channels: Set<string>;
  /** What it said itself may come back to it. */
  said: string;
}

interface Tenant {
  readonly name: string;
  /** In all content that this tenant sends or stores; nobody else ever says it. */
  readonly secret: string;
  /** A user, channel and template of this tenant alone; the others know it and ask for it. */
  readonly ownName: string;
  readonly key: string;
  clients: Client[];
  received: number;
}

let ara: AraProcess;
let tenants: Tenant[];
let sentIds: string[] = [];

beforeAll(async () => {
  tenants = NAMES.map((name) => ({
    name,
    secret: `secret${randomBytes(12).toString('hex')}`,
    ownName: `name${randomBytes(12).toString('hex')}`,
    key: randomBytes(16).toString('hex'),
    clients: [],
    received: 0,
  }));
  const keys = tenants.flatMap(({ name, key }, i) => [
    [`TENANT_T${i}_NAME`, name],
    [`TENANT_T${i}_API_KEY`, key],
  ]);
  ara = await AraProcess.start({
    ...(Object.fromEntries(keys) as Record<string, string>),
    TENANT_ENABLED: 'true',
    TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER: '0',
    QUEUE_ENABLED: 'true',
    ACK_ENABLED: 'true',
    LOG_LEVEL: 'error',
  });
});

afterAll(() => ara.stop());

it(`keeps five tenants apart in ${SEQUENCES} random sequences (ISOLATION_SEED=${SEED})`, async () => {
  for (let done = 0; done < SEQUENCES; done += CHUNK) {
    const sequences = fc.sample(fc.array(step, { minLength: 4, maxLength: 16 }), {
      numRuns: Math.min(CHUNK, SEQUENCES - done),
      seed: SEED + done,
    });
    for (const sequence of sequences) {
      for (const [at, each] of sequence.entries()) {
        try {
          await run(each);
        } catch (error) {
          throw new Error(`step ${JSON.stringify(each)}\nafter ${JSON.stringify(sequence.slice(0, at))}`, {
            cause: error,
          });
        }
      }
    }
    for (const tenant of tenants) for (const client of tenant.clients) await settle(tenant, client);
    sentIds = sentIds.slice(-100);
  }
  for (const tenant of tenants) while (tenant.clients.length > 0) await disconnect(tenant, 0);
  // Otherwise nothing would have been kept apart.
  for (const { received } of tenants) expect(received).toBeGreaterThan(SEQUENCES / 10);
  expect(ara.output).not.toContain('"level":"error"');
}, 3_600_000);

async function run({ tenant: index, usesOwnKey, action }: Step): Promise<void> {
  const tenant = tenants[index]!;
  const request = (method: string, path: string, body?: unknown): Promise<HttpAnswer> =>
    ask(tenant, usesOwnKey, method, path, body);
  switch (action.kind) {
    case 'send':
      return send(tenant, action, request);
    case 'batch': {
      const notifications = action.targets.map((target) => ({ target: wire(target), ...content(tenant) }));
      const answer = await request('POST', '/api/v1/notifications/batch', { notifications, atomic: action.atomic });
      if (answer.status === 200)
        for (const { notification_id } of answer.json<Batch>().results) sentIds.push(notification_id);
      return;
    }
    case 'template':
      return template(tenant, action, request);
    case 'connect':
      return connect(tenant, action.transport, textOf(action.user, tenant));
    case 'disconnect':
      return disconnect(tenant, action.which);
    case 'subscribe':
    case 'unsubscribe':
      return subscribe(tenant, action);
    case 'ack':
      return acknowledge(tenant, action);
    case 'read':
      return read(tenant, action, request);
  }
}

interface Batch {
  readonly results: readonly { readonly notification_id: string }[];
}

type Request = (method: string, path: string, body?: unknown) => Promise<HttpAnswer>;

/** Asks as a tenant, by its own key or by the general one and a header, and searches the answer for what is not its own. */
async function ask(
  tenant: Tenant,
  usesOwnKey: boolean,
  method: string,
  path: string,
  body?: unknown,
): Promise<HttpAnswer> {
  const header = { 'x-tenant-id': Buffer.from(tenant.name).toString('latin1') };
  const headers = usesOwnKey ? { 'x-api-key': tenant.key } : header;
  const answer = await ara.http(method, path, { headers, ...(body !== undefined && { body }) });
  expect(answer.status).toBeLessThan(500);
  expectOwn(tenant, `${JSON.stringify(answer.headers)}${answer.text}`, `${path}${JSON.stringify({ body })}`);
  return answer;
}

/** Nothing of the others, save a name that the tenant has just said itself. */
function expectOwn(tenant: Tenant, text: string, said: string): void {
  for (const other of tenants) {
    if (other === tenant) continue;
    if (text.includes(other.secret)) throw new Error(`${tenant.name} reads a secret of ${other.name}: ${text}`);
    if (text.includes(other.ownName) && !said.includes(other.ownName)) {
      throw new Error(`${tenant.name} reads a name of ${other.name}: ${text}`);
    }
  }
}

/** @param holder takes the id for itself: then it has its own name in the place of another's. */
function textOf({ text, nameOf, prefixOf }: Id, holder?: Tenant): string {
  const name = nameOf === undefined ? text : (holder ?? tenants[nameOf]!).ownName;
  return prefixOf === undefined ? name : `${NAMES[prefixOf]!}:${name}`;
}

function wire(target: Target): Record<string, unknown> {
  if (target.type === 'broadcast') return { type: 'broadcast' };
  const value = 'text' in target.value ? textOf(target.value) : target.value.map((each) => textOf(each));
  return { type: target.type, value };
}

function content({ secret }: Tenant): Record<string, unknown> {
  return { event_type: `event.${secret}`, payload: { text: secret, [secret]: 1 }, correlation_id: secret };
}

const ENDPOINTS = {
  user: ['send', 'target_user_id'],
  users: ['send-to-users', 'target_user_ids'],
  broadcast: ['broadcast', 'audience'],
  channel: ['channel', 'channel'],
  channels: ['channels', 'channels'],
} as const;

async function send(
  tenant: Tenant,
  { target, template: id }: Action & { kind: 'send' },
  request: Request,
): Promise<void> {
  const { type, value } = wire(target) as { type: Target['type']; value: string | string[] | undefined };
  const [path, field] = ENDPOINTS[type];
  const what = id === undefined ? content(tenant) : { template_id: textOf(id), variables: { name: tenant.secret } };
  const answer = await request('POST', `/api/v1/notifications/${path}`, { [field]: value, ...what });
  if (answer.status !== 200) {
    // An unknown template, or an id that no user can have.
    expect([400, 422]).toContain(answer.status);
    return;
  }
  const { delivered_to, notification_id } = answer.json<{ delivered_to: number; notification_id: string }>();
  sentIds.push(notification_id);
  const named = new Set([value ?? []].flat());
  const reached = tenant.clients.filter(({ user, channels, sse }) => {
    if (type === 'broadcast') return true;
    if (type === 'user' || type === 'users') return named.has(user);
    // A stream without a choice of channels hears all of them.
    return named.size > 0 && (sse !== undefined || [...named].some((name) => channels.has(name)));
  });
  expect([type, [...named], delivered_to]).toEqual([type, [...named], reached.length]);
}

async function template(tenant: Tenant, { verb, id }: Action & { kind: 'template' }, request: Request): Promise<void> {
  const text = textOf(id, verb === 'create' ? tenant : undefined);
  const path = `/api/v1/templates/${inPath(text, 'encoded')}`;
  const fields = {
    name: `name of ${tenant.secret}`,
    event_type: `templated.${tenant.secret.slice(0, 40)}`,
    payload_template: { text: `{{name}} ${tenant.secret}` },
    description: tenant.secret,
  };
  switch (verb) {
    case 'create':
      await request('POST', '/api/v1/templates', { id: text, ...fields });
      return;
    case 'update':
      await request('PUT', path, fields);
      return;
    case 'delete':
      await request('DELETE', path);
      return;
    case 'render':
      await request('POST', `${path}/render`, { variables: { name: tenant.secret } });
  }
}

async function connect(tenant: Tenant, transport: 'ws' | 'sse', user: string): Promise<void> {
  // What no token can name is tested with the tokens.
  if (parseUserId(user) === undefined) return;
  if (tenant.clients.length >= MAX_CONNECTIONS) await disconnect(tenant, 0);
  const claims = { tenant_id: tenant.name };
  const ws = transport === 'ws' ? await ara.ws(user, claims) : undefined;
  const sse = transport === 'sse' ? await ara.sse(user, claims) : undefined;
  const client: Client = { user, ws, sse, channels: new Set(), said: user };
  tenant.clients.push(client);
  await sse?.next('connected');
  await settle(tenant, client);
}

async function disconnect(tenant: Tenant, which: number): Promise<void> {
  const [client] = tenant.clients.splice(which % Math.max(tenant.clients.length, 1), 1);
  if (client === undefined) return;
  await settle(tenant, client);
  await (client.ws?.close() ?? client.sse?.close());
  await until('the connection is gone', async () => {
    const { connections } = (await ask(tenant, true, 'GET', '/stats')).json<Stats>();
    return connections.total_connections === tenant.clients.length;
  });
}

/** Reads what has arrived by now. */
async function settle(tenant: Tenant, client: Client): Promise<void> {
  const texts = client.ws
    ? (await client.ws.settled()).map(({ text }) => text)
    : client.sse!.inbox.drain().map(({ data }) => data);
  if (client.sse !== undefined) {
    expectOwn(tenant, client.sse.raw, client.said);
    client.sse.raw = '';
  }
  for (const text of texts) {
    expectOwn(tenant, text, client.said);
    if (text.includes(tenant.secret)) tenant.received++;
  }
}

async function subscribe(tenant: Tenant, action: Action & { kind: 'subscribe' | 'unsubscribe' }): Promise<void> {
  const client = clientOf(tenant, action.which);
  if (client?.ws === undefined || action.channels.length === 0) return;
  const channels = action.channels.map((each) => textOf(each, tenant));
  client.said += channels.join();
  client.ws.send({ type: action.kind === 'subscribe' ? 'Subscribe' : 'Unsubscribe', payload: { channels } });
  await settle(tenant, client);
  for (const name of channels) {
    if (action.kind === 'unsubscribe') client.channels.delete(name);
    else if (parseChannelName(name) !== undefined && client.channels.size < 50) client.channels.add(name);
  }
}

/** Also of notifications that went to others. */
async function acknowledge(tenant: Tenant, { which, of }: Action & { kind: 'ack' }): Promise<void> {
  const client = clientOf(tenant, which);
  const id = sentIds[of % Math.max(sentIds.length, 1)];
  if (client?.ws === undefined || id === undefined) return;
  client.ws.send({ type: 'Ack', payload: { notification_id: id } });
  await settle(tenant, client);
}

function clientOf(tenant: Tenant, which: number): Client | undefined {
  return tenant.clients[which % Math.max(tenant.clients.length, 1)];
}

interface Stats {
  readonly connections: { readonly total_connections: number; readonly channels: Record<string, number> };
}

const READS = [
  '/api/v1/channels',
  '/api/v1/channels/{}',
  '/api/v1/users/{}/subscriptions',
  '/api/v1/cluster/users/{}',
  '/api/v1/templates',
  '/api/v1/templates/{}',
  '/api/v1/tenants',
  '/api/v1/tenants/{}',
  '/stats',
  '/api/v1/stats',
  '/api/v1/stats/acks',
] as const;

/** What is listed and counted must be what this tenant's clients did, no more and no less. */
async function read(tenant: Tenant, { path, id, how }: Action & { kind: 'read' }, request: Request): Promise<void> {
  const text = textOf(id);
  const answer = await request(
    'GET',
    path.replace('{}', () => inPath(text, how)),
  );
  const counts = subscribersOf(tenant);
  switch (path) {
    case '/api/v1/channels': {
      const { channels } = answer.json<{ channels: { name: string; subscriber_count: number }[] }>();
      expect(channels.map(({ name, subscriber_count }) => [name, subscriber_count]).sort()).toEqual([...counts].sort());
      return;
    }
    case '/stats':
    case '/api/v1/stats': {
      const { connections } = answer.json<Stats>();
      expect(connections.total_connections).toBe(tenant.clients.length);
      expect(Object.entries(connections.channels).sort()).toEqual([...counts].sort());
      return;
    }
    case '/api/v1/tenants': {
      const listed = answer.json<{ tenants: { tenant_id: string }[] }>().tenants.map(({ tenant_id }) => tenant_id);
      expect(listed).toEqual(tenant.clients.length === 0 ? [] : [tenant.name]);
      return;
    }
    case '/api/v1/cluster/users/{}': {
      if (how !== 'encoded' || answer.status !== 200) return;
      const own = tenant.clients.filter(({ user }) => user === text.toWellFormed());
      expect(answer.json<{ connections: number }>().connections).toBe(own.length);
    }
  }
}

function subscribersOf({ clients }: Tenant): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { channels } of clients) for (const name of channels) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

it('a key of one tenant opens no other', async () => {
  for (const tenant of tenants) {
    for (const other of tenants) {
      const headers = { 'x-api-key': tenant.key, 'x-tenant-id': Buffer.from(other.name).toString('latin1') };
      const { status } = await ara.get('/api/v1/channels', headers);
      expect([tenant.name, other.name, status]).toEqual([tenant.name, other.name, tenant === other ? 200 : 403]);
      const figures = await ara.get(`/api/v1/tenants/${encodeURIComponent(other.name)}`, { 'x-api-key': tenant.key });
      if (tenant !== other) expect(figures.status).toBe(403);
    }
  }
});

const who = fc.nat({ max: NAMES.length - 1 });
// Few texts beside the hostile ones, so that tenants meet at the same names.
const id: fc.Arbitrary<Id> = fc.record({
  text: fc.oneof(fc.constantFrom('a', 'b', 'orders', '__proto__'), hostileId),
  nameOf: fc.option(who, { nil: undefined, freq: 3 }),
  prefixOf: fc.option(who, { nil: undefined, freq: 4 }),
});
const ids = fc.array(id, { minLength: 1, maxLength: 3 });
const target: fc.Arbitrary<Target> = fc.oneof(
  fc.record({ type: fc.constantFrom('user', 'channel'), value: id }),
  fc.record({ type: fc.constantFrom('users', 'channels'), value: ids }),
  fc.constant<Target>({ type: 'broadcast' }),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('send'), target, template: fc.option(id, { nil: undefined, freq: 2 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('batch'),
      targets: fc.array(target, { minLength: 1, maxLength: 3 }),
      atomic: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('template'),
      verb: fc.constantFrom('create', 'create', 'update', 'delete', 'render'),
      id,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('connect'), transport: fc.constantFrom('ws', 'ws', 'sse'), user: id }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('disconnect'), which: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('subscribe', 'subscribe', 'unsubscribe'),
      which: fc.nat(),
      channels: ids,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ack'), which: fc.nat(), of: fc.nat() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('read'),
      path: fc.constantFrom(...READS),
      id,
      how: fc.constantFrom('encoded', 'twice', 'raw'),
    }),
  },
);
const step: fc.Arbitrary<Step> = fc.record({ tenant: who, usesOwnKey: fc.boolean(), action });
