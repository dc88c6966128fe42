import { AraProcess } from '../support/ara-process';
import { http } from '../support/http';
import { RawSocket } from '../support/raw-socket';
import { StreamRefused } from '../support/sse-client';
import { tokenFor, type TestClaims } from '../support/tokens';
import { until } from '../support/until';

// Streams as bytes on a TCP socket, since a reader of events hides what proxies and browsers stumble over.

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';
const CONNECTED = new RegExp(
  `^event: connected\nretry: (\\d+)\ndata: {"type":"connected","connection_id":"(${UUID})","user_id":"alice"}\n\n`,
);

let ara: AraProcess;

/** One chunk of a chunked body (RFC 9112, 7.1). */
function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function send(target: object, content: object = { event_type: 'e', payload: null }, path = 'send'): Promise<Sent> {
  return ara.post(`/api/v1/notifications/${path}`, { ...target, ...content }).then((answer) => answer.json<Sent>());
}

interface Sent {
  readonly notification_id: string;
  readonly delivered_to: number;
  readonly success: boolean;
}

class Stream {
  private constructor(readonly raw: RawSocket) {}

  static async open(query = '', claims: TestClaims = {}, version = '1.1', headers = ''): Promise<Stream> {
    const raw = await RawSocket.open(ara.url);
    raw.write(
      `GET /sse?token=${tokenFor('alice', claims)}${query} HTTP/${version}\r\nHost: ara.test\r\n${headers}\r\n`,
    );
    const eventEnd = version === '1.1' ? '\n\n\r\n' : '\n\n';
    await raw.until('the first event', ({ text }) => text.includes('event: connected') && text.endsWith(eventEnd));
    return new Stream(raw);
  }

  get head(): string[] {
    return this.raw.text.slice(0, this.raw.text.indexOf('\r\n\r\n')).split('\r\n');
  }

  /** Everything behind the headers. */
  get body(): string {
    return this.raw.text.slice(this.raw.text.indexOf('\r\n\r\n') + 4);
  }

  /** The body without its chunks; fails when a chunk is not whole. */
  get events(): string {
    let events = '';
    for (let rest = Buffer.from(this.body); rest.length > 0;) {
      const lineEnd = rest.indexOf('\r\n');
      const size = Number.parseInt(rest.toString('latin1', 0, lineEnd), 16);
      const end = lineEnd + 2 + size;
      expect(rest.toString('latin1', end, end + 2)).toBe('\r\n');
      events += rest.toString('utf8', lineEnd + 2, end);
      rest = rest.subarray(end + 2);
    }
    return events;
  }

  /** Events after the first one. */
  get news(): string {
    return this.events.replace(CONNECTED, '');
  }

  async untilNews(text: string): Promise<void> {
    await this.raw.until(text, () => this.raw.text.includes(text) && this.raw.text.endsWith('\n\n\r\n'));
  }

  close(): void {
    this.raw.close();
  }
}

/** A notification as it stands in `data:`, but for what the service chose. */
function data(id: string, occurredAt: string, eventType: string, payload: string, metadata: string): string {
  return `{"type":"notification","id":"${id}","occurred_at":"${occurredAt}","event_type":"${eventType}","payload":${payload},"metadata":${metadata}}`;
}

function occurredAtIn(events: string): string {
  return /"occurred_at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/.exec(events)?.[1] ?? 'no time';
}

describe('a stream', () => {
  beforeAll(async () => {
    ara = await AraProcess.start({ QUEUE_ENABLED: 'true', WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0' });
  });
  afterAll(() => ara.stop());

  it('opens with headers that keep proxies from holding it back, and says at once that it is open', async () => {
    const stream = await Stream.open();
    const [status, ...headers] = stream.head;
    expect(status).toBe('HTTP/1.1 200 OK');
    expect(headers).toEqual(
      expect.arrayContaining([
        'Content-Type: text/event-stream',
        'Cache-Control: no-cache, no-transform',
        'X-Accel-Buffering: no',
        'Access-Control-Allow-Origin: *',
        'Transfer-Encoding: chunked',
      ]),
    );
    expect(headers.filter((line) => /^content-(length|encoding)/i.test(line))).toEqual([]);
    expect(stream.body).toBe(chunk(stream.events));
    expect(stream.events).toMatch(CONNECTED);
    expect(stream.news).toBe('');
    stream.close();
  });

  it('spreads the time after which its clients come back', async () => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => Stream.open()));
    const retries = streams.map(({ events }) => Number(CONNECTED.exec(events)?.[1]));
    for (const retry of retries) expect(Math.abs(retry - 3000)).toBeLessThanOrEqual(500);
    expect(new Set(retries).size).toBeGreaterThan(5);
    expect(new Set(streams.map(({ events }) => CONNECTED.exec(events)?.[2])).size).toBe(20);
    for (const stream of streams) stream.close();
  });

  it('gives a notification as one event with an id', async () => {
    const stream = await Stream.open();
    const content = { event_type: 'order "1"', payload: { n: 1 }, priority: 'High', ttl: 60, correlation_id: 'c' };
    const { notification_id: id } = await send({ target_user_id: 'alice' }, content);
    await stream.untilNews(id);
    const metadata = '{"source":"http-api","priority":"High","ttl":60,"correlation_id":"c"}';
    expect(stream.news).toBe(
      `event: notification\nid: ${id}\ndata: ${data(id, occurredAtIn(stream.news), 'order \\"1\\"', '{"n":1}', metadata)}\n\n`,
    );
    stream.close();
  });

  it('keeps a payload on one line, however it came, and leaves its numbers alone', async () => {
    const stream = await Stream.open();
    const pretty =
      '{\r\n\r\n  "text": "first\\nsecond\\r\\n\\nthird",\n\n\n\t"list": [\r 1,\n\n 2.50,\r\n 12345678901234567890, 1E400\n],\n "separators": "\u2028\u2029",\r"data": "data: x"\n}\n';
    const body = `{"target_user_id":"alice",\r\n\r\n"event_type":"e\\r\\ndata: y",\n\n"payload":\r\n${pretty}\r\n}`;
    const answer = await ara.http('POST', '/api/v1/notifications/send', {
      body,
      headers: { 'content-type': 'application/json' },
    });
    const { notification_id: id } = answer.json<Sent>();
    await stream.untilNews(id);
    const payload =
      '{"text":"first\\nsecond\\r\\n\\nthird","list":[1,2.50,12345678901234567890,1E400],"separators":"\u2028\u2029","data":"data: x"}';
    const metadata = '{"source":"http-api","priority":"Normal"}';
    expect(stream.news).toBe(
      `event: notification\nid: ${id}\ndata: ${data(id, occurredAtIn(stream.news), 'e\\r\\ndata: y', payload, metadata)}\n\n`,
    );
    stream.close();
  });

  it('measures its chunks in bytes', async () => {
    const stream = await Stream.open();
    const { notification_id: id } = await send(
      { target_user_id: 'alice' },
      { event_type: 'größe', payload: '通知 😀' },
    );
    await stream.untilNews(id);
    expect(stream.body.endsWith(chunk(stream.news))).toBe(true);
    expect(stream.news).toContain('"event_type":"größe","payload":"通知 😀"');
    stream.close();
  });

  it('begins with what was kept, behind the first event', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await send({ target_user_id: 'alice' })).notification_id);
    const stream = await Stream.open();
    await stream.untilNews(ids[2]!);
    expect([...stream.news.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual(ids);
    stream.close();
  });

  it('speaks HTTP/1.0 without chunks', async () => {
    const stream = await Stream.open('', {}, '1.0');
    expect(stream.head[0]).toMatch(/^HTTP\/1\.[01] 200 OK$/);
    expect(stream.head.join()).not.toMatch(/transfer-encoding|content-length/i);
    expect(stream.head).toContain('Connection: close');
    expect(stream.body).toMatch(new RegExp(`${CONNECTED.source}$`));
    const { notification_id: id } = await send({ target_user_id: 'alice' });
    await stream.raw.until('the notification', ({ text }) => text.includes(id) && text.endsWith('\n\n'));
    expect(stream.body.replace(CONNECTED, '')).toMatch(new RegExp(`^event: notification\nid: ${id}\ndata: {.*}\n\n$`));
    stream.close();
  });

  it('is forgotten when its client goes', async () => {
    const guest = await ara.sse('guest');
    await guest.next('connected');
    expect((await ara.get('/api/v1/users/guest/subscriptions')).json()).toMatchObject({ connection_count: 1 });
    await guest.close();
    await until('it is forgotten', async () => (await ara.get('/api/v1/users/guest/subscriptions')).status === 404);
  });

  describe('hears channels', () => {
    const toChannel = (channel: string): Promise<Sent> => send({ channel }, undefined, 'channel');
    const heard = (stream: Stream): (string | undefined)[] =>
      [...stream.news.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
    const error = (...reasons: string[]): string =>
      `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'SUBSCRIPTION_ERROR', message: reasons.join('; ') })}\n\n`;

    /** Sends to each channel, then to the user, and says which channels were heard before that. */
    async function heardOf(stream: Stream, channels: readonly string[]): Promise<string[]> {
      const names = new Map<string | undefined, string>();
      for (const channel of channels) names.set((await toChannel(channel)).notification_id, channel);
      const { notification_id: last } = await send({ target_user_id: 'alice' });
      await stream.untilNews(last);
      return heard(stream).flatMap((id) => names.get(id) ?? []);
    }

    it('all of them, when it names none', async () => {
      const stream = await Stream.open();
      expect(await heardOf(stream, ['a', 'b', 'größe'])).toEqual(['a', 'b', 'größe']);
      expect((await ara.get('/api/v1/channels')).json()).toMatchObject({ channels: [] });
      stream.close();
      const empty = await Stream.open('&channels=');
      expect(await heardOf(empty, ['a'])).toEqual(['a']);
      empty.close();
    });

    it('those its token names, when it names none', async () => {
      const stream = await Stream.open('', { channels: ['a', 'orders.*'] });
      expect(await heardOf(stream, ['a', 'b', 'orders.1', 'orders'])).toEqual(['a', 'orders.1']);
      stream.close();
      const deaf = await Stream.open('', { channels: [] });
      expect(await heardOf(deaf, ['a'])).toEqual([]);
      deaf.close();
    });

    it('only those it names', async () => {
      const stream = await Stream.open('&channels=a,b&channels=gr%C3%B6%C3%9Fe');
      expect(await heardOf(stream, ['a', 'c', 'b', 'größe'])).toEqual(['a', 'b', 'größe']);
      expect((await ara.get('/api/v1/channels/a')).json()).toMatchObject({ subscriber_count: 1 });
      stream.close();
    });

    it('and is told which it may not, after the first event', async () => {
      const stream = await Stream.open('&channels=a,b,a%20b,orders.1', { channels: ['a', 'orders.*'] });
      await stream.untilNews('SUBSCRIPTION_ERROR');
      expect(stream.news).toBe(error('Channel not allowed: b', 'Invalid channel name: a b'));
      expect(await heardOf(stream, ['a', 'b', 'orders.1', 'orders.2'])).toEqual(['a', 'orders.1']);
      stream.close();
      const refused = await Stream.open('&channels=b', { channels: ['a'] });
      await refused.untilNews('SUBSCRIPTION_ERROR');
      expect(refused.news).toBe(error('Channel not allowed: b'));
      expect(await heardOf(refused, ['a', 'b'])).toEqual([]);
      refused.close();
    });

    it('up to the limit', async () => {
      const names = Array.from({ length: 52 }, (_, i) => `c${i}`);
      const stream = await Stream.open(`&channels=${names.join(',')}`);
      await stream.untilNews('SUBSCRIPTION_ERROR');
      const full = 'Subscription limit exceeded (50/50)';
      expect(stream.news).toBe(error(full, full));
      stream.close();
    });
  });
});

describe('a stream, with SSE_AUTO_SUBSCRIBE=false and limits', () => {
  beforeAll(async () => {
    ara = await AraProcess.start({
      SSE_AUTO_SUBSCRIBE: 'false',
      WEBSOCKET_MAX_CONNECTIONS: '3',
      WEBSOCKET_MAX_CONNECTIONS_PER_USER: '2',
    });
  });
  afterAll(() => ara.stop());

  it('hears only the channels that it names', async () => {
    const [silent, named] = [await ara.sse('alice'), await ara.sse('alice', {}, '&channels=a')];
    expect(await send({ channel: 'a' }, undefined, 'channel')).toMatchObject({ delivered_to: 1 });
    await named.notification();
    expect(await send({ target_user_id: 'alice' })).toMatchObject({ delivered_to: 2 });
    await silent.notification();
    expect(silent.inbox.all.map(({ event }) => event)).toEqual(['connected', 'notification']);
    await Promise.all([silent.close(), named.close()]);
  });

  it('is refused over a limit with 429 in plain text, which EventSource does not retry', async () => {
    const refusal = async (user: string): Promise<unknown[]> => {
      const { status, headers, text } = await http('GET', ara.url, `/sse?token=${tokenFor(user)}`);
      return [status, headers['content-type'], text];
    };
    const first = [await ara.sse('alice'), await ara.ws('alice')];
    expect(await refusal('alice')).toEqual([
      429,
      'text/plain; charset=utf-8',
      'Connection limit exceeded: User alice connection limit exceeded (2/2)',
    ]);
    const other = await ara.ws('bob');
    for (const user of ['alice', 'carol']) {
      expect(await refusal(user)).toEqual([
        429,
        'text/plain; charset=utf-8',
        'Connection limit exceeded: Total connection limit exceeded (3/3)',
      ]);
    }
    await Promise.all([...first, other].map((client) => client.close()));
    const again = await ara.sse('carol');
    await again.next('connected');
    await again.close();
  });

  it('is refused without a valid token', async () => {
    await expect(ara.sse('alice', { exp: 1 })).rejects.toThrow(StreamRefused);
    for (const [path, text] of [
      ['/sse', 'Missing authentication token'],
      ['/sse?token=', 'Invalid token'],
    ] as const) {
      const answer = await http('GET', ara.url, path);
      expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([
        401,
        'text/plain; charset=utf-8',
        text,
      ]);
    }
  });
});
