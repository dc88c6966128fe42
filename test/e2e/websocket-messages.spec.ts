import { AraProcess } from '../support/ara-process';
import { within } from '../support/raw-socket';
import { inSeconds, tokenFor, type TestClaims } from '../support/tokens';
import { BINARY, clientFrame, CLOSE, fragments, PING, PONG, serverClose, serverText, WsWire } from '../support/ws-wire';

// What clients say and what they are answered, byte for byte, on a socket that does nothing by itself.

const MAX_MESSAGE_BYTES = 65_536;
const SUBSCRIPTIONS = 4;
const UNKNOWN_ID = '0192f0c1-7a3b-7c4d-8e5f-0123456789ab';
const PONG_TEXT = serverText('{"type":"pong"}');

const error = (code: string, message: string): Buffer => serverText(JSON.stringify({ type: 'error', code, message }));
const invalid = (message: string): Buffer => error('INVALID_MESSAGE', message);
const refusedChannels = (...reasons: string[]): Buffer => error('SUBSCRIPTION_ERROR', reasons.join('; '));
const subscribed = (...names: string[]): Buffer => serverText(JSON.stringify({ type: 'subscribed', payload: names }));
const unsubscribed = (...names: string[]): Buffer =>
  serverText(JSON.stringify({ type: 'unsubscribed', payload: names }));
const subscribe = (...channels: unknown[]): unknown => ({ type: 'Subscribe', payload: { channels } });
const unsubscribe = (...channels: unknown[]): unknown => ({ type: 'Unsubscribe', payload: { channels } });

let ara: AraProcess;
let open: WsWire[];

async function connect(user = 'alice', claims: TestClaims = {}): Promise<WsWire> {
  const wire = await WsWire.open(ara.url, `/ws?token=${tokenFor(user, claims)}`);
  open.push(wire);
  return wire;
}

/** Says all that, and expects these frames and no other before the pong of a last ping. */
async function dialogue(wire: WsWire, messages: readonly unknown[], answers: readonly Buffer[]): Promise<void> {
  for (const message of messages) wire.say(message);
  wire.say('{"type":"Ping"}');
  await wire.expect(...answers, PONG_TEXT);
}

/** The server closes: these frames are the last, and the socket goes when the client has answered in kind. */
async function expectEnd(wire: WsWire, ...frames: Buffer[]): Promise<void> {
  await wire.expect(...frames);
  wire.send(clientFrame(Buffer.from([0x03, 0xe8]), { opcode: CLOSE }));
  await within(2_000, wire.raw.ended, 'the server left the connection open');
  expect(wire.rest).toHaveLength(0);
}

beforeEach(() => {
  open = [];
});
afterEach(() => {
  for (const wire of open) wire.close();
});

describe('a WebSocket', () => {
  beforeAll(async () => {
    ara = await AraProcess.start({
      WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION: String(SUBSCRIPTIONS),
      WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0',
    });
  });
  afterAll(() => ara.stop());

  it('is told nothing until it asks or something happens', async () => {
    const wire = await connect();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(wire.rest).toHaveLength(0);
  });

  it.each(['{"type":"Ping"}', '{"type":"Ping","payload":null}', ' {"payload":{},"type":"Ping","extra":[1]}\n'])(
    'answers %j with a pong',
    async (ping) => {
      await dialogue(await connect(), [ping, ping], [PONG_TEXT, PONG_TEXT]);
    },
  );

  describe('subscribes', () => {
    it('to each channel on its own: accepted ones in one frame, then the refused ones', async () => {
      const wire = await connect();
      await dialogue(wire, [subscribe('orders')], [subscribed('orders')]);
      await dialogue(
        wire,
        [subscribe('a b', 'news', '', 'acme:x', 'größe', 'x'.repeat(65))],
        [
          subscribed('news', 'größe'),
          refusedChannels(
            'Invalid channel name: a b',
            'Invalid channel name: ',
            'Invalid channel name: acme:x',
            `Invalid channel name: ${'x'.repeat(65)}`,
          ),
        ],
      );
      await dialogue(wire, [subscribe('*')], [refusedChannels('Invalid channel name: *')]);
    });

    it('to names of 1 to 64 bytes', async () => {
      const [longest, tooLong] = ['é'.repeat(32), 'é'.repeat(33)];
      await dialogue(
        await connect(),
        [subscribe(longest, tooLong, 'A-b_c.9')],
        [subscribed(longest, 'A-b_c.9'), refusedChannels(`Invalid channel name: ${tooLong}`)],
      );
    });

    it('again without harm, and repeats what the client repeats', async () => {
      const wire = await connect();
      await dialogue(wire, [subscribe('a', 'a'), subscribe('a')], [subscribed('a', 'a'), subscribed('a')]);
      expect((await ara.get('/api/v1/channels/a')).json()).toMatchObject({ subscriber_count: 1 });
    });

    it('up to the limit, where only what it has is confirmed', async () => {
      const wire = await connect();
      const full = `Subscription limit exceeded (${SUBSCRIPTIONS}/${SUBSCRIPTIONS})`;
      await dialogue(
        wire,
        [subscribe('a', 'b', 'c', 'd', 'e', 'b', 'f'), subscribe('d'), unsubscribe('a'), subscribe('e', 'a')],
        [
          subscribed('a', 'b', 'c', 'd', 'b'),
          refusedChannels(full, full),
          subscribed('d'),
          unsubscribed('a'),
          subscribed('e'),
          refusedChannels(full),
        ],
      );
    });

    it('only to what its token names', async () => {
      const wire = await connect('alice', { channels: ['orders.*', 'news'] });
      await dialogue(
        wire,
        [subscribe('news', 'orders.1', 'orders.', 'orders', 'news.1', 'a b')],
        [
          subscribed('news', 'orders.1', 'orders.'),
          refusedChannels('Channel not allowed: orders', 'Channel not allowed: news.1', 'Invalid channel name: a b'),
        ],
      );
      const none = await connect('alice', { channels: [] });
      await dialogue(none, [subscribe('news')], [refusedChannels('Channel not allowed: news')]);
    });

    it('to nothing without an answer', async () => {
      await dialogue(await connect(), [subscribe(), unsubscribe()], []);
    });
  });

  it('unsubscribes from whatever it names', async () => {
    const wire = await connect();
    await dialogue(
      wire,
      [subscribe('a'), unsubscribe('a', 'never', 'a', 'not a name', '')],
      [subscribed('a'), unsubscribed('a', 'never', 'a', 'not a name', '')],
    );
    expect((await ara.get('/api/v1/channels/a')).status).toBe(404);
  });

  it('handles what one client says in its order', async () => {
    const wire = await connect();
    const rounds = 200;
    const answers: Buffer[] = [];
    const messages: Buffer[] = [];
    for (let i = 0; i < rounds; i++) {
      messages.push(
        clientFrame(JSON.stringify(subscribe(`c${i % 3}`))),
        clientFrame(JSON.stringify(unsubscribe(`c${i % 3}`))),
      );
      messages.push(clientFrame('?'), clientFrame('{"type":"Ping"}'));
      answers.push(subscribed(`c${i % 3}`), unsubscribed(`c${i % 3}`), invalid('Message is not valid JSON'), PONG_TEXT);
    }
    wire.send(...messages);
    await wire.expect(...answers);
    expect((await ara.get('/api/v1/channels')).json()).toMatchObject({ channels: [] });
  });

  it('ignores acknowledgements without a word while they are off', async () => {
    await dialogue(await connect(), [{ type: 'Ack', payload: { notification_id: UNKNOWN_ID } }], []);
  });

  describe('says what was wrong and stays', () => {
    const NO_TYPE = 'type must be Subscribe, Unsubscribe, Ping or Ack, in this case';
    const NO_CHANNELS = 'Subscribe needs payload.channels, an array of strings';
    const NO_UUID = 'Ack needs payload.notification_id, a UUID';

    it.each([
      ['', 'Message is not valid JSON'],
      ['Ping', 'Message is not valid JSON'],
      ['{"type":"Ping"', 'Message is not valid JSON'],
      ["{'type':'Ping'}", 'Message is not valid JSON'],
      ['{"type":"Ping"}{"type":"Ping"}', 'Message is not valid JSON'],
      ['\ufeff{"type":"Ping"}', 'Message is not valid JSON'],
      ['"Ping"', 'Message must be a JSON object'],
      ['null', 'Message must be a JSON object'],
      ['[{"type":"Ping"}]', 'Message must be a JSON object'],
      ['{}', NO_TYPE],
      ['{"type":null}', NO_TYPE],
      ['{"type":"ping"}', NO_TYPE],
      ['{"type":"PING"}', NO_TYPE],
      ['{"type":["Ping"]}', NO_TYPE],
      ['{"type":"__proto__"}', NO_TYPE],
      ['{"type":"Ping","payload":1}', 'Ping takes no payload'],
      ['{"type":"Subscribe"}', NO_CHANNELS],
      ['{"type":"Subscribe","payload":null}', NO_CHANNELS],
      ['{"type":"Subscribe","payload":["a"]}', NO_CHANNELS],
      ['{"type":"Subscribe","channels":["a"]}', NO_CHANNELS],
      ['{"type":"Subscribe","payload":{"channels":"a"}}', NO_CHANNELS],
      ['{"type":"Subscribe","payload":{"channels":["a",1]}}', NO_CHANNELS],
      ['{"type":"Subscribe","payload":{"channels":{"0":"a","length":1}}}', NO_CHANNELS],
      ['{"type":"Unsubscribe","payload":{}}', 'Unsubscribe needs payload.channels, an array of strings'],
      ['{"type":"Ack"}', NO_UUID],
      ['{"type":"Ack","payload":{"notification_id":7}}', NO_UUID],
      ['{"type":"Ack","payload":{"notification_id":"abc-123"}}', NO_UUID],
      [`{"type":"Ping","payload":${'['.repeat(70)}${']'.repeat(70)}}`, 'JSON is nested deeper than 64 levels'],
      ['['.repeat(MAX_MESSAGE_BYTES), 'JSON is nested deeper than 64 levels'],
      ['{"a":'.repeat(13_000), 'JSON is nested deeper than 64 levels'],
    ])('to %#', async (message, answer) => {
      await dialogue(await connect(), [message], [invalid(answer)]);
    });

    it('to binary messages', async () => {
      const wire = await connect();
      wire.send(clientFrame('{"type":"Ping"}', { opcode: BINARY }), clientFrame('', { opcode: BINARY }));
      const answer = error('UNSUPPORTED_FORMAT', 'Binary messages are not supported');
      await dialogue(wire, [], [answer, answer]);
    });
  });

  describe('reads messages', () => {
    const padded = (length: number): string => `{"type":"Ping","x":"${'y'.repeat(length - 22)}"}`;

    it('of 65,536 bytes, in one frame or in many', async () => {
      const wire = await connect();
      const text = padded(MAX_MESSAGE_BYTES);
      expect(Buffer.byteLength(text)).toBe(MAX_MESSAGE_BYTES);
      wire.send(clientFrame(text), fragments([text.slice(0, 10), text.slice(10, 50_000), '', text.slice(50_000)]));
      await dialogue(wire, [], [PONG_TEXT, PONG_TEXT]);
    });

    it.each([
      ['in one frame', clientFrame(padded(MAX_MESSAGE_BYTES + 1))],
      ['in fragments', fragments([padded(MAX_MESSAGE_BYTES), ' '])],
      ['announced, not sent', clientFrame(' '.repeat(MAX_MESSAGE_BYTES + 1)).subarray(0, 14)],
      ['announced as 2^62 bytes', Buffer.from([0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
      ['binary', clientFrame(Buffer.alloc(MAX_MESSAGE_BYTES + 1), { opcode: BINARY })],
    ])('but not longer ones, %s: 1009', async (_, bytes) => {
      const wire = await connect();
      wire.send(bytes);
      await expectEnd(wire, serverClose(1009));
    });

    it('in characters that come in two fragments', async () => {
      const wire = await connect();
      const bytes = Buffer.from(JSON.stringify(subscribe('größe')));
      const cut = bytes.indexOf(0xc3) + 1;
      wire.send(fragments([bytes.subarray(0, cut), bytes.subarray(cut)]));
      await dialogue(wire, [], [subscribed('größe')]);
    });

    it('with control frames between the fragments', async () => {
      const wire = await connect();
      wire.send(
        clientFrame('{"type":', { isFinal: false }),
        clientFrame('between', { opcode: PING }),
        clientFrame('"Ping"}', { opcode: 0 }),
      );
      await wire.expect(Buffer.concat([Buffer.from([0x8a, 7]), Buffer.from('between')]), PONG_TEXT);
    });
  });

  describe('is closed', () => {
    const nothing = Buffer.alloc(0);
    it.each([
      ['invalid UTF-8', 1007, clientFrame(Buffer.from([0x22, 0xff, 0x22]))],
      ['a surrogate in UTF-8', 1007, clientFrame(Buffer.from([0xed, 0xa0, 0x80]))],
      ['overlong UTF-8', 1007, clientFrame(Buffer.from([0xc0, 0x80]))],
      ['UTF-8 that ends too early', 1007, fragments([Buffer.from([0x22]), Buffer.from([0xc3])])],
      ['a close reason that is not UTF-8', 1007, clientFrame(Buffer.from([0x03, 0xe8, 0xff]), { opcode: CLOSE })],
      ['an unmasked frame', 1002, clientFrame('{"type":"Ping"}', { isMasked: false })],
      ['reserved bit 1', 1002, clientFrame('{}', { reserved: 4 })],
      ['reserved bit 2', 1002, clientFrame('{}', { reserved: 2 })],
      ['reserved bit 3', 1002, clientFrame('{}', { reserved: 1 })],
      ['a reserved opcode', 1002, clientFrame('{}', { opcode: 3 })],
      ['a reserved control opcode', 1002, clientFrame('', { opcode: 0xb })],
      ['a continuation of nothing', 1002, clientFrame('{}', { opcode: 0 })],
      ['a new message within another', 1002, Buffer.concat([clientFrame('{', { isFinal: false }), clientFrame('{}')])],
      ['a fragmented ping', 1002, clientFrame('x', { opcode: PING, isFinal: false })],
      ['a ping of 126 bytes', 1002, clientFrame('x'.repeat(126), { opcode: PING })],
      ['a close frame of one byte', 1002, clientFrame('x', { opcode: CLOSE })],
      ['a close code that must not be sent', 1002, clientFrame(Buffer.from([0x03, 0xed]), { opcode: CLOSE })],
      ['too many fragments', 1009, fragments(Array<Buffer>(2_000).fill(nothing))],
      ['too many one-byte fragments', 1009, fragments(Array<string>(2_000).fill(' '))],
    ])('for %s: %i', async (_, code, bytes) => {
      const wire = await connect();
      wire.send(bytes);
      await expectEnd(wire, serverClose(code));
    });

    it.each([
      ['by its fault', clientFrame('{}', { isMasked: false }), serverClose(1002)],
      ['by its wish', clientFrame(Buffer.from([0x03, 0xe8]), { opcode: CLOSE }), serverClose(1000)],
    ])('%s and forgotten at once, while its client keeps the socket', async (_, last, answer) => {
      const wire = await WsWire.open(ara.url, `/ws?token=${tokenFor('broken')}`, {}, { keepOpen: true });
      open.push(wire);
      wire.send(last);
      await wire.expect(answer);
      const sent = await ara.post('/api/v1/notifications/send', {
        target_user_id: 'broken',
        event_type: 'e',
        payload: 1,
      });
      expect(sent.json()).toMatchObject({ success: false, delivered_to: 0, failed: 0 });
      expect(wire.rest).toHaveLength(0);
    });

    it('with the code that the client gave', async () => {
      const wire = await connect('leaving');
      await dialogue(wire, [subscribe('a')], [subscribed('a')]);
      wire.send(clientFrame(Buffer.from([0x0f, 0xa1, 0x62, 0x79, 0x65]), { opcode: CLOSE }));
      await expectEnd(wire, serverClose(4001, 'bye'));
      const gone = await ara.get('/api/v1/users/leaving/subscriptions');
      expect([gone.status, (await ara.get('/api/v1/channels/a')).status]).toEqual([404, 404]);
    });
  });

  it('answers protocol pings, with what they hold', async () => {
    const wire = await connect();
    wire.send(
      clientFrame('hello', { opcode: PING }),
      clientFrame('', { opcode: PING }),
      clientFrame('x', { opcode: PONG }),
    );
    await wire.expect(Buffer.concat([Buffer.from([0x8a, 5]), Buffer.from('hello')]), Buffer.from([0x8a, 0]));
    await dialogue(wire, [], []);
  });

  it('costs no memory when it pings and does not read', async () => {
    const wire = await connect();
    wire.raw.socket.pause();
    const pings = Buffer.concat(Array<Buffer>(2_000).fill(clientFrame('x'.repeat(125), { opcode: PING })));
    const before = await rss();
    // 32 MB: more than kernel buffers hold.
    for (let i = 0; i < 125; i++) {
      if (!wire.raw.socket.write(pings)) await new Promise((resolve) => wire.raw.socket.once('drain', resolve));
    }
    expect((await rss()) - before).toBeLessThan(40);
    expect((await ara.get('/health')).json()).toMatchObject({ connections: { total: 1 } });
  });
});

/** Memory of the service in MB. */
async function rss(): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${String(ara.child.pid)}/status`, 'utf8');
  return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]) / 1024;
}

describe('with acknowledgements', () => {
  beforeAll(async () => {
    ara = await AraProcess.start({ ACK_ENABLED: 'true' });
  });
  afterAll(() => ara.stop());

  const ack = (notification_id: string): unknown => ({ type: 'Ack', payload: { notification_id } });
  const acked = (id: string): Buffer => serverText(`{"type":"acked","notification_id":"${id}"}`);
  const invalidAck = (id: string): Buffer => error('INVALID_ACK', `Unknown or invalid notification: ${id}`);

  it('one is accepted once, from the user it was sent to, on any connection', async () => {
    const [alice, phone, bob] = [await connect('alice'), await connect('alice'), await connect('bob')];
    const { notification_id: id } = (
      await ara.post('/api/v1/notifications/send', { target_user_id: 'alice', event_type: 'e', payload: null })
    ).json<{ notification_id: string }>();
    for (const wire of [alice, phone]) {
      await wire.raw.until('the notification', () => wire.rest.includes(id));
      await wire.expect(wire.rest);
    }
    await dialogue(bob, [ack(id)], [invalidAck(id)]);
    await dialogue(phone, [ack(id.toUpperCase()), ack(id)], [acked(id), invalidAck(id)]);
    await dialogue(alice, [ack(id), ack(UNKNOWN_ID)], [invalidAck(id), invalidAck(UNKNOWN_ID)]);
  });

  it('answers stay in the order of the questions', async () => {
    const wire = await connect();
    const [messages, answers]: [unknown[], Buffer[]] = [[], []];
    for (let i = 0; i < 100; i++) {
      messages.push(ack(UNKNOWN_ID), subscribe('a'), unsubscribe('a'), '?');
      answers.push(invalidAck(UNKNOWN_ID), subscribed('a'), unsubscribed('a'), invalid('Message is not valid JSON'));
    }
    await dialogue(wire, messages, answers);
  });
});

describe('limits', () => {
  const MESSAGES = 10;

  beforeAll(async () => {
    ara = await AraProcess.start({
      WEBSOCKET_MAX_CONNECTIONS: '3',
      WEBSOCKET_MAX_CONNECTIONS_PER_USER: '2',
      RATELIMIT_ENABLED: 'true',
      RATELIMIT_WS_CONNECTIONS_PER_MINUTE: '1000',
      RATELIMIT_WS_MESSAGES_PER_SECOND: String(MESSAGES),
    });
  });
  afterAll(() => ara.stop());

  it('of connections are told in a frame, the total first, and the close has no status', async () => {
    const limit = (message: string): Buffer => error('CONNECTION_LIMIT', message);
    const [first] = [await connect('alice'), await connect('alice')];
    await expectEnd(await connect('alice'), limit('User alice connection limit exceeded (2/2)'), serverClose());
    const stream = await ara.sse('bob');
    await stream.next('connected');
    await expectEnd(await connect('carol'), limit('Total connection limit exceeded (3/3)'), serverClose());
    await expectEnd(await connect('alice'), limit('Total connection limit exceeded (3/3)'), serverClose());

    await dialogue(first, [], []);
    first.send(clientFrame(Buffer.from([0x03, 0xe8]), { opcode: CLOSE }));
    await expectEnd(first, serverClose(1000));
    await dialogue(await connect('alice'), [], []);
    await stream.close();
  });

  it('of messages drop what is too much and keep the connection', async () => {
    const wire = await connect('dave', { exp: inSeconds(600) });
    const dropped = error('RATE_LIMITED', 'Too many messages, this one was dropped');
    const pings = Array<Buffer>(MESSAGES + 3).fill(clientFrame('{"type":"Ping"}'));
    wire.send(...pings);
    await wire.expect(...Array<Buffer>(MESSAGES).fill(PONG_TEXT), dropped, dropped, dropped);
    await new Promise((resolve) => setTimeout(resolve, 150));
    wire.say('{"type":"Ping"}');
    await wire.expect(PONG_TEXT);
  });
});
