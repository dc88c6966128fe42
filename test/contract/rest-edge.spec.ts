import { connect } from 'node:net';
import { http, type HttpAnswer } from '../support/http';
import { startRestApp, type RestApp } from './rest-app';

const KEY = 'key-of-at-least-16-characters';
const JSON_TYPE = { 'content-type': 'application/json' };
const AUTHORIZED = { 'x-api-key': KEY, ...JSON_TYPE };
const SEND = '/api/v1/notifications/send';
const GOOD = { target_user_id: 'u', event_type: 'e', payload: {} };

const codeOf = (answer: HttpAnswer): string => answer.json<{ error: { code: string } }>().error.code;

/** Speaks bytes, for what no HTTP client would do. Resolves with all that came until the server closed, or `until` matches. */
function speak(url: string, write: (send: (bytes: string) => void) => void, until?: RegExp): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(Number(port), hostname, () => {
      write((bytes) => socket.write(bytes));
    });
    socket.setTimeout(8_000, () => socket.destroy(new Error(`silence after: ${heard}`)));
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (until?.test(heard)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(heard);
    });
  });
}

describe.each([
  ['the fast door', 'true'],
  ['Express', 'false'],
])('the HTTP edge, with %s', (_, fastPath) => {
  let app: RestApp;
  beforeAll(async () => {
    app = await startRestApp({ API_KEY: KEY, HTTP_FAST_PATH: fastPath });
  });
  afterAll(() => app.close());
  const post = (headers: Record<string, string>, body: unknown = GOOD, path = SEND): Promise<HttpAnswer> =>
    http('POST', app.url, path, { headers, body });

  describe('decides in order', () => {
    const LONG = 'x'.repeat(65_537);

    it.each<[string, string | undefined]>([
      ['no key', undefined],
      ['a wrong key', 'wrong'],
      ['half of the key', KEY.slice(0, 10)],
      ['the key twice', `${KEY}, ${KEY}`],
      ['an empty key', ''],
    ])('401 with %s, before anything of the body', async (_name, key) => {
      const headers = key === undefined ? {} : { 'x-api-key': key };
      for (const [type, body] of [
        ['application/json', JSON.stringify(GOOD)],
        ['application/json', LONG],
        ['text/plain', 'x'],
        ['application/json', '{'],
        ['application/json', '{}'],
      ] as const) {
        const answer = await post({ ...headers, 'content-type': type }, body);
        expect([answer.status, codeOf(answer)]).toEqual([401, 'UNAUTHORIZED']);
      }
    });

    it('takes the name of the header in any case', async () => {
      expect((await post({ 'X-API-KEY': KEY, ...JSON_TYPE })).status).toBe(200);
    });

    it('413 by the length alone, before the content type', async () => {
      const answer = await post({ 'x-api-key': KEY, 'content-type': 'text/plain' }, LONG);
      expect([answer.status, codeOf(answer)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
      expect(answer.json<{ error: { message: string } }>().error.message).toBe('length limit exceeded');
    });

    it('accepts exactly 64 KiB', async () => {
      const head = JSON.stringify({ ...GOOD, payload: '' }).slice(0, -2);
      const body = `${head}${'x'.repeat(65_536 - head.length - 2)}"}`;
      expect(Buffer.byteLength(body)).toBe(65_536);
      expect((await post(AUTHORIZED, body)).status).toBe(200);
      expect((await post(AUTHORIZED, `${body} `)).status).toBe(413);
    });

    it('413 for a body without length that turns out too long', async () => {
      const heard = await speak(
        app.url,
        (send) => {
          send(`POST ${SEND} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\nContent-Type: application/json\r\n`);
          send(`Transfer-Encoding: chunked\r\n\r\n${LONG.length.toString(16)}\r\n${LONG}\r\n`);
        },
        /PAYLOAD_TOO_LARGE[^]*\}$/,
      );
      expect(heard).toMatch(/^HTTP\/1\.1 413 /);
      expect(heard).toContain('Failed to buffer the request body: length limit exceeded');
    });

    it.each([
      ['text/plain'],
      ['application/x-www-form-urlencoded'],
      ['application/jsonp'],
      ['application/+json'],
      ['text/json'],
      [''],
    ])('415 for %j', async (type) => {
      const answer = await post({ 'x-api-key': KEY, 'content-type': type }, '{');
      expect([answer.status, codeOf(answer)]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    });

    it('415 without a content type, and for a compressed body', async () => {
      expect((await post({ 'x-api-key': KEY }, '{')).status).toBe(415);
      expect((await post({ ...AUTHORIZED, 'content-encoding': 'gzip' })).status).toBe(415);
      expect((await post({ ...AUTHORIZED, 'content-encoding': 'identity' })).status).toBe(200);
    });

    it.each([
      'application/json',
      'Application/JSON',
      'application/json; charset=utf-8',
      'application/json;charset=UTF-8',
      'application/vnd.ara+json',
    ])('takes %s for JSON', async (type) => {
      expect((await post({ 'x-api-key': KEY, 'content-type': type }, JSON.stringify(GOOD))).status).toBe(200);
    });

    it.each<[string, string | Buffer]>([
      ['no body', ''],
      ['broken JSON', '{"a":'],
      ['a trailing comma', '{"a":1,}'],
      ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d])],
      ['two values', '{}{}'],
    ])('400 for %s', async (_name, body) => {
      const answer = await post(AUTHORIZED, body);
      expect([answer.status, codeOf(answer)]).toEqual([400, 'INVALID_JSON']);
    });

    it('422 for JSON nested deeper than 64 levels, valid or not', async () => {
      const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
      const send = (payload: string): Promise<HttpAnswer> =>
        post(AUTHORIZED, `{"target_user_id":"u","event_type":"e","payload":${payload}}`);
      expect((await send(nested(63))).status).toBe(200);
      expect((await send(nested(64))).status).toBe(422);
      expect((await send('['.repeat(60_000))).status).toBe(422);
      expect((await send('{"a":'.repeat(10_000))).status).toBe(422);
    });
  });

  describe('routes', () => {
    it.each([
      '/nope',
      '/',
      '/api/v1',
      '/api/v1/notifications/send/',
      '/API/v1/channels',
      '/api/v1//channels',
      '/healthz',
    ])('hides from strangers that %s does not exist', async (path) => {
      expect((await http('GET', app.url, path)).status).toBe(401);
      const answer = await http('GET', app.url, path, { headers: AUTHORIZED });
      expect([answer.status, codeOf(answer)]).toEqual([404, 'NOT_FOUND']);
    });

    it.each([
      ['GET', SEND, 'POST'],
      ['PUT', SEND, 'POST'],
      ['DELETE', '/api/v1/channels', 'GET, HEAD'],
      ['PATCH', '/api/v1/templates/x', 'GET, HEAD, PUT, DELETE'],
      ['GET', '/api/v1/templates/x/render', 'POST'],
      ['POST', '/stats', 'GET, HEAD'],
    ])('405 for %s %s, after the key', async (method, path, allow) => {
      expect((await http(method, app.url, path)).status).toBe(401);
      const answer = await http(method, app.url, path, { headers: { 'x-api-key': KEY } });
      expect([answer.status, codeOf(answer)]).toEqual([405, 'METHOD_NOT_ALLOWED']);
      expect(answer.headers.allow).toBe(allow);
    });

    it('405 for a wrong verb on a public path, without a key', async () => {
      const answer = await http('POST', app.url, '/health');
      expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
    });

    it('refuses broken percent-encoding as a bad request', async () => {
      const answer = await http('GET', app.url, '/api/v1/channels/%zz', { headers: AUTHORIZED });
      expect([answer.status, codeOf(answer)]).toEqual([400, 'VALIDATION_ERROR']);
    });

    it('takes a query on any path, and a whole URL as a proxy sends it', async () => {
      expect((await post(AUTHORIZED, GOOD, `${SEND}?x=1`)).status).toBe(200);
      expect((await http('GET', app.url, `${app.url}/health?x`)).status).toBe(200);
      expect((await http('GET', app.url, `${app.url}/stats`)).status).toBe(401);
      expect((await post(AUTHORIZED, GOOD, `http://elsewhere.example${SEND}`)).status).toBe(200);
    });

    it('answers HEAD like GET, without the body', async () => {
      const get = await http('GET', app.url, '/health');
      const head = await http('HEAD', app.url, '/health');
      expect([head.status, head.text, head.headers['content-type']]).toEqual([200, '', get.headers['content-type']]);
    });

    it('is open where the public is invited', async () => {
      for (const path of ['/health', '/health/live', '/health/ready', '/metrics']) {
        expect((await http('GET', app.url, path)).status).toBe(200);
      }
    });
  });

  describe('headers', () => {
    const everywhere = async (headers: Record<string, string> = {}): Promise<HttpAnswer[]> => [
      await http('GET', app.url, '/health', { headers }),
      await http('GET', app.url, '/nope', { headers }),
      await http('OPTIONS', app.url, '/nope', { headers }),
      await http('POST', app.url, SEND, { headers: { ...AUTHORIZED, ...headers }, body: GOOD }),
      await http('POST', app.url, SEND, { headers: { ...AUTHORIZED, ...headers }, body: '{' }),
      await http('GET', app.url, '/api/v1/templates/none', { headers: { ...AUTHORIZED, ...headers } }),
    ];

    it('give every answer a request id: the caller’s, or a new one', async () => {
      for (const answer of await everywhere({ 'x-request-id': 'from-the-caller' })) {
        expect(answer.headers['x-request-id']).toBe('from-the-caller');
      }
      const made = (await everywhere({ 'x-request-id': 'no good' })).map(({ headers }) => headers['x-request-id']);
      expect(new Set(made).size).toBe(made.length);
      for (const id of made) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    });

    it('protect every answer, and break nothing over plain HTTP', async () => {
      for (const { headers } of await everywhere()) {
        expect(headers).toMatchObject({
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'SAMEORIGIN',
          'referrer-policy': 'no-referrer',
          'access-control-allow-origin': '*',
        });
        expect(headers['content-security-policy']).toMatch(/default-src 'self'/);
        expect(headers['content-security-policy']).not.toMatch(/upgrade-insecure-requests/);
        expect(headers).not.toHaveProperty('x-powered-by');
        expect(headers).not.toHaveProperty('x-ratelimit-limit');
      }
    });

    it('answer OPTIONS on any path, 200 and empty, without a key', async () => {
      for (const path of [SEND, '/nope', '/health', '/sse', '*']) {
        const answer = await http('OPTIONS', app.url, path, { headers: { origin: 'https://a.example' } });
        expect([answer.status, answer.text]).toEqual([200, '']);
        expect(answer.headers).toMatchObject({
          'access-control-allow-origin': '*',
          'access-control-allow-methods': '*',
          'access-control-allow-headers': '*',
        });
      }
    });
  });

  describe('a refused body', () => {
    const head = (more: string): string => `POST ${SEND} HTTP/1.1\r\nHost: x\r\n${more}\r\n\r\n`;

    it('leaves the connection usable when it is short', async () => {
      const body = JSON.stringify(GOOD);
      const heard = await speak(
        app.url,
        (send) => {
          send(head(`Content-Length: 5000`) + 'x'.repeat(5000));
          send(head(`X-API-Key: ${KEY}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`) + body);
        },
        /HTTP\/1\.1 200 OK[^]*\}$/,
      );
      expect(heard.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401', 'HTTP/1.1 200']);
    });

    it('does not cost a client its answer that sends all of a long one first', async () => {
      const megabytes = 4 * 1024 * 1024;
      const heard = await speak(app.url, (send) => {
        send(head(`X-API-Key: ${KEY}\r\nContent-Type: application/json\r\nContent-Length: ${megabytes}`));
        for (let sent = 0; sent < megabytes; sent += 65_536) send('x'.repeat(65_536));
      });
      expect(heard).toMatch(/^HTTP\/1\.1 413 /);
      expect(heard).toMatch(/\r\nConnection: close\r\n/i);
      expect(heard).toMatch(/"PAYLOAD_TOO_LARGE"/);
    });

    it('is answered at once though the rest of it never comes', async () => {
      const startedAt = Date.now();
      const heard = await speak(
        app.url,
        (send) => {
          send(head(`Content-Length: 3000000`));
        },
        /UNAUTHORIZED[^]*\}$/,
      );
      expect(heard).toMatch(/^HTTP\/1\.1 401 /);
      expect(Date.now() - startedAt).toBeLessThan(2_000);
    });

    it('is not even asked for when the client waits for a word', async () => {
      const refused = await speak(
        app.url,
        (send) => {
          send(head('Content-Length: 10\r\nExpect: 100-continue'));
        },
        /UNAUTHORIZED[^]*\}$/,
      );
      // Whether the body follows is anybody's guess: the next request must not be taken for it.
      expect(refused).toMatch(/\r\nConnection: close\r\n/i);
      expect(refused).toMatch(/^HTTP\/1\.1 401 /);
      expect(refused).not.toMatch(/100 Continue/);

      const body = JSON.stringify(GOOD);
      const accepted = await speak(
        app.url,
        (send) => {
          send(
            head(
              `X-API-Key: ${KEY}\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}`,
            ),
          );
          setTimeout(() => {
            send(body);
          }, 50);
        },
        /HTTP\/1\.1 200 OK[^]*\}$/,
      );
      expect(accepted.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200']);
    });
  });

  it('answers pipelined requests in order', async () => {
    const one = (id: string): string => {
      const body = JSON.stringify({ ...GOOD, target_user_id: id });
      return `POST ${SEND} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\nX-Request-Id: ${id}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    };
    const heard = await speak(
      app.url,
      (send) => {
        send(one('first') + one('second') + one('third'));
      },
      /third[^]*\}$/,
    );
    expect(heard.match(/X-Request-Id: \w+/g)).toEqual([
      'X-Request-Id: first',
      'X-Request-Id: second',
      'X-Request-Id: third',
    ]);
  });

  it('answers what is not HTTP with JSON, too', async () => {
    const heard = await speak(app.url, (send) => {
      send('THIS IS NOT HTTP\r\n\r\n');
    });
    expect(heard).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*\{"error":\{"code":"VALIDATION_ERROR"/);
  });

  it('counts requests by route, and invented paths under one label', async () => {
    await http('GET', app.url, `/invented-${Math.random()}`);
    await post(AUTHORIZED);
    await post(
      AUTHORIZED,
      { notifications: [{ target: { type: 'broadcast' }, event_type: 'e', payload: 1 }] },
      '/api/v1/notifications/batch',
    );
    const { text } = await http('GET', app.url, '/metrics');
    expect(text).toMatch(/ara_http_requests_total\{method="GET",path="unmatched",status="401"\} [1-9]/);
    expect(text).toMatch(
      /ara_http_requests_total\{method="POST",path="\/api\/v1\/notifications\/send",status="200"\} [1-9]/,
    );
    expect(text).toMatch(/ara_http_requests_total\{method="DELETE",path="\/api\/v1\/channels",status="405"\} [1-9]/);
    expect(text).toMatch(
      /ara_http_request_latency_seconds_count\{method="POST",path="\/api\/v1\/notifications\/send"\} [1-9]/,
    );
    expect(text).toMatch(/ara_batch_requests_total [1-9]/);
    expect(text).toMatch(/ara_batch_size_count [1-9]/);
    expect(text).not.toMatch(/invented/);
  });
});

describe('rate limits', () => {
  const rateLimited = (more: Record<string, string> = {}): Promise<RestApp> =>
    startRestApp({
      API_KEY: KEY,
      RATELIMIT_ENABLED: 'true',
      RATELIMIT_HTTP_BURST_SIZE: '3',
      RATELIMIT_HTTP_REQUESTS_PER_SECOND: '1',
      ...more,
    });

  it.each(['true', 'false'])('come before the key, and tell where one stands (fast path %s)', async (fastPath) => {
    const app = await rateLimited({ HTTP_FAST_PATH: fastPath });
    try {
      const allowed = await http('POST', app.url, SEND, { headers: AUTHORIZED, body: GOOD });
      expect(allowed.status).toBe(200);
      expect(allowed.headers).toMatchObject({ 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '2' });
      expect(Number(allowed.headers['x-ratelimit-reset'])).toBeLessThan(Date.now() / 1000 + 60);
      expect(allowed.headers).not.toHaveProperty('retry-after');
      await http('GET', app.url, '/nope', { headers: AUTHORIZED });
      await http('POST', app.url, SEND, { headers: AUTHORIZED, body: '{' });
      const denied = await http('POST', app.url, SEND, { headers: AUTHORIZED, body: GOOD });
      expect(denied.status).toBe(429);
      expect(denied.headers).toMatchObject({ 'x-ratelimit-remaining': '0', 'retry-after': '1' });
      expect(denied.json()).toEqual({
        error: {
          code: 'RATE_LIMITED',
          message: 'Too many requests, please retry after 1 seconds',
          retry_after_seconds: 1,
        },
      });
      // Strangers share the bucket of their address, which is another one than the key's.
      const strangers = [];
      for (let i = 0; i < 4; i++) {
        strangers.push((await http('GET', app.url, '/stats', { headers: { 'x-api-key': `guess-${i}` } })).status);
      }
      expect(strangers).toEqual([401, 401, 401, 429]);
      // The public paths are free of it.
      const health = await http('GET', app.url, '/health');
      expect([health.status, health.headers['x-ratelimit-limit']]).toEqual([200, undefined]);
    } finally {
      await app.close();
    }
  });
});

describe.each([
  ['1', true],
  ['', false],
])('strangers behind a proxy, with TRUST_PROXY=%s', (TRUST_PROXY, isTrusted) => {
  it('are told apart only by a proxy that is trusted, and never by what they make up', async () => {
    const app = await startRestApp({
      ...{ API_KEY: KEY, TRUST_PROXY, RATELIMIT_ENABLED: 'true' },
      ...{ RATELIMIT_HTTP_REQUESTS_PER_SECOND: '1', RATELIMIT_HTTP_BURST_SIZE: '1' },
    });
    /** How many of 30 get past the limiter. All at once, so that hardly a bucket is filled again meanwhile. */
    const admitted = async (forwarded: (n: number) => string): Promise<number> => {
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, n) =>
          http('GET', app.url, '/stats', { headers: { 'x-forwarded-for': forwarded(n) } }),
        ),
      );
      return answers.filter(({ status }) => status === 401).length;
    };
    try {
      const own = await admitted((n) => `203.0.113.${n}`);
      if (isTrusted) expect(own).toBe(30);
      else expect(own).toBeLessThan(30);
      expect(await admitted((n) => `203.0.113.${n}, 198.51.100.7`)).toBeLessThan(30);
    } finally {
      await app.close();
    }
  });
});

describe('exact origins', () => {
  it('are echoed, others not, and a preflight names verbs and headers', async () => {
    const app = await startRestApp({ API_KEY: KEY, CORS_ORIGINS: 'https://a.example,https://b.example' });
    try {
      const headersOf = async (origin: string): Promise<HttpAnswer['headers']> =>
        (await http('OPTIONS', app.url, '/api/v1/templates', { headers: { origin } })).headers;
      expect(await headersOf('https://b.example')).toMatchObject({
        'access-control-allow-origin': 'https://b.example',
        'access-control-allow-methods': 'GET, POST, PUT, DELETE, OPTIONS',
        'access-control-allow-headers': 'content-type, authorization, x-api-key, x-tenant-id',
        vary: 'Origin',
      });
      expect(await headersOf('https://c.example')).not.toHaveProperty('access-control-allow-origin');
      const refused = await http('GET', app.url, '/stats', { headers: { origin: 'https://a.example' } });
      expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, 'https://a.example']);
    } finally {
      await app.close();
    }
  });
});

describe('production', () => {
  it('hides what went wrong inside', async () => {
    const app = await startRestApp({ API_KEY: KEY, RUN_MODE: 'production' });
    try {
      app.dispatcher.answer = () => {
        throw new Error('connect ECONNREFUSED 10.0.0.7:5432');
      };
      const answer = await http('POST', app.url, SEND, { headers: AUTHORIZED, body: GOOD });
      expect([answer.status, answer.json()]).toEqual([
        500,
        { error: { code: 'INTERNAL_ERROR', message: 'Internal server error' } },
      ]);
      // Documents are unknown paths there.
      expect((await http('GET', app.url, '/docs')).status).toBe(401);
      expect((await http('GET', app.url, '/openapi.json', { headers: AUTHORIZED })).status).toBe(404);
    } finally {
      await app.close();
    }
  });
});

describe('shutting down', () => {
  it('ends what is under way, and does not wait for idle connections', async () => {
    const app = await startRestApp({ API_KEY: KEY });
    const { hostname, port } = new URL(app.url);
    const idle = connect(Number(port), hostname);
    await new Promise((resolve) => idle.once('connect', resolve));
    idle.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => idle.once('data', resolve));

    let finish = (): void => undefined;
    const dispatched = new Promise<void>((begun) => {
      const original = app.dispatcher.dispatch.bind(app.dispatcher);
      app.dispatcher.dispatch = async (delivery) => {
        begun();
        await new Promise<void>((resolve) => (finish = resolve));
        return original(delivery);
      };
    });
    const underWay = http('POST', app.url, SEND, { headers: AUTHORIZED, body: GOOD });
    await dispatched;
    const startedAt = Date.now();
    const closing = app.close();
    setTimeout(() => {
      finish();
    }, 100);
    expect((await underWay).status).toBe(200);
    await closing;
    expect(Date.now() - startedAt).toBeLessThan(2_000);
    idle.destroy();
  });
});
