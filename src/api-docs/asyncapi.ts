import { VERSION } from '../version';
import { CLIENT_MESSAGES, type MessageDoc, SERVER_FRAMES, SSE_EVENTS, TRIGGER } from './frames';
import { type Json, type JsonSchema, SchemaComponents } from './json-schema';

const TOKEN_QUERY: JsonSchema = {
  type: 'object',
  properties: { token: { type: 'string', description: 'The JWT; or `Authorization: Bearer`' } },
};

interface ChannelDoc {
  readonly address: string;
  readonly server: 'webSocket' | 'sse' | 'redis';
  readonly description: string;
  /** Component messages, by name. */
  readonly messages: readonly string[];
  readonly extra?: Json;
}

const clientMessages = Object.keys(CLIENT_MESSAGES);
const serverFrames = Object.keys(SERVER_FRAMES);
const sseEvents = Object.keys(SSE_EVENTS).map((name) => `sse-${name}`);

const CHANNELS: Readonly<Record<string, ChannelDoc>> = {
  webSocket: {
    address: '/ws',
    server: 'webSocket',
    description: 'One JSON object per text message. Messages of clients may have 65,536 bytes.',
    messages: [...clientMessages, ...serverFrames],
    extra: { bindings: { ws: { method: 'GET', query: TOKEN_QUERY } } },
  },
  sse: {
    address: '/sse',
    server: 'sse',
    description:
      'The data of each event is one JSON object on one line. `?channels=orders,news` names the channels to hear; ' +
      'without it, all channels of the tenant while SSE_AUTO_SUBSCRIBE is on. A comment keeps idle streams open.',
    messages: sseEvents,
  },
  userTriggers: {
    address: 'notification:user:{user}',
    server: 'redis',
    description: 'Pub/Sub. Other names than these three with REDIS_CHANNELS.',
    messages: ['trigger'],
    extra: { parameters: { user: { description: 'Any text; the body decides' } } },
  },
  broadcastTriggers: {
    address: 'notification:broadcast',
    server: 'redis',
    description: 'Pub/Sub.',
    messages: ['trigger'],
  },
  channelTriggers: {
    address: 'notification:channel:{channel}',
    server: 'redis',
    description: 'Pub/Sub.',
    messages: ['trigger'],
    extra: { parameters: { channel: { description: 'Any text; the body decides' } } },
  },
  ingestStream: {
    address: 'ara:ingest',
    server: 'redis',
    description:
      'A Redis Stream, its key set by REDIS_INGEST_STREAM; off unless set. Nothing is lost while Ara is away.',
    messages: ['streamEntry'],
  },
};

const OPERATIONS: Readonly<
  Record<string, { action: 'send' | 'receive'; channel: string; messages: readonly string[] }>
> = {
  readClient: { action: 'receive', channel: 'webSocket', messages: clientMessages },
  writeFrame: { action: 'send', channel: 'webSocket', messages: serverFrames },
  writeEvent: { action: 'send', channel: 'sse', messages: sseEvents },
  readUserTrigger: { action: 'receive', channel: 'userTriggers', messages: ['trigger'] },
  readBroadcastTrigger: { action: 'receive', channel: 'broadcastTriggers', messages: ['trigger'] },
  readChannelTrigger: { action: 'receive', channel: 'channelTriggers', messages: ['trigger'] },
  readStream: { action: 'receive', channel: 'ingestStream', messages: ['streamEntry'] },
};

/** WebSocket frames, SSE events and Redis triggers as an AsyncAPI 3.0 document, told from Ara's side. */
export function asyncApiDocument(): Json {
  const schemas = new SchemaComponents();
  const messages = {
    ...mapped(CLIENT_MESSAGES, (name, doc) => [name, message(name, doc, schemas.input(doc.schema))]),
    ...mapped(SERVER_FRAMES, (name, doc) => [name, message(name, doc, schemas.output(doc.schema))]),
    ...mapped(SSE_EVENTS, (name, { frame, summary, hasId, hasRetry }) => {
      const doc: MessageDoc = SERVER_FRAMES[frame];
      const own = { ...doc, title: `SSE ${name}`, summary };
      const fields = {
        event: { const: name },
        ...(hasId && { id: { type: 'string', description: 'Opaque' } }),
        ...(hasRetry && { retry: { type: 'integer', description: 'Milliseconds to wait before connecting again' } }),
      };
      const headers = { type: 'object', properties: fields, required: Object.keys(fields) };
      return [`sse-${name}`, { ...message(name, own, schemas.output(doc.schema)), headers }];
    }),
    trigger: message('trigger', TRIGGER, schemas.input(TRIGGER.schema)),
    streamEntry: {
      name: 'streamEntry',
      title: 'Stream entry',
      summary: 'Its field `message` holds the JSON text of a trigger',
      payload: {
        type: 'object',
        properties: { message: { type: 'string', contentMediaType: 'application/json' } },
        required: ['message'],
      },
      examples: [{ payload: { message: JSON.stringify(TRIGGER.example) } }],
    },
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Ara',
      version: VERSION,
      description: 'What travels over WebSocket, SSE and Redis. The HTTP surface is described in `/openapi.json`.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      webSocket: { host: 'localhost:8081', protocol: 'ws', security: [{ $ref: '#/components/securitySchemes/token' }] },
      sse: { host: 'localhost:8081', protocol: 'http', security: [{ $ref: '#/components/securitySchemes/token' }] },
      redis: { host: 'localhost:6379', protocol: 'redis', description: 'REDIS_URL; a trusted network' },
    },
    channels: mapped(CHANNELS, (name, { address, server, description, messages: names, extra }) => [
      name,
      {
        address,
        description,
        servers: [{ $ref: `#/servers/${server}` }],
        messages: Object.fromEntries(names.map((key) => [key, { $ref: `#/components/messages/${key}` }])),
        ...extra,
      },
    ]),
    operations: mapped(OPERATIONS, (name, { action, channel, messages: names }) => [
      name,
      {
        action,
        channel: { $ref: `#/channels/${channel}` },
        messages: names.map((key) => ({ $ref: `#/channels/${channel}/messages/${key}` })),
      },
    ]),
    components: {
      messages,
      schemas: schemas.schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}

function message(name: string, { title, summary, example }: MessageDoc, payload: JsonSchema): Json {
  return { name, title, summary, payload, examples: [{ payload: example }] };
}

function mapped<T>(
  from: Readonly<Record<string, T>>,
  entry: (name: string, value: T) => readonly [string, Json],
): Json {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => entry(name, value)));
}
