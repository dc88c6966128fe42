import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { AraProcess } from '../support/ara-process';
import { forgedTokens, Genuine, type ForgedToken, type TokenCarrier, type TokenIssuer } from '../support/forged-tokens';
import { http } from '../support/http';
import { parseAnswer, RawSocket, within, type RawAnswer } from '../support/raw-socket';
import { inSeconds, TEST_API_KEY, TEST_JWT_SECRET, tokenFor } from '../support/tokens';
import { type Headers, SAMPLE_ACCEPT, upgradeRequest } from '../support/ws-wire';

// Every answer that a client can get in place of a connection, and the one that opens it, as bytes on a TCP socket.

const PLAIN = 'text/plain; charset=utf-8';
const GRANTED = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${SAMPLE_ACCEPT}\r\n`;

function refused(status: string, body: string, headers: readonly string[] = []): string {
  const lines = [`Content-Type: ${PLAIN}`, `Content-Length: ${body.length}`, 'Connection: close', ...headers];
  return `HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** The server's whole answer; a connection that it granted is cut. */
async function answerTo(url: string, request: string): Promise<string> {
  const socket = await RawSocket.open(url);
  socket.write(request);
  await socket.until('an answer', ({ text, hasEnded }) => hasEnded || /^HTTP\/1.1 101 .*?\r\n\r\n/s.test(text));
  socket.close();
  return socket.text;
}

function plainRequest(path: string, headers: Headers = {}, method = 'GET'): string {
  const lines = Object.entries({ Host: 'ara.test', Connection: 'close', ...headers });
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

describe('the handshake', () => {
  let ara: AraProcess;
  let token: string;
  const upgrade = (path: string, headers?: Headers, method?: string): Promise<string> =>
    answerTo(ara.url, upgradeRequest(path, headers, method));
  const ask = (path: string, headers?: Headers, method?: string): Promise<RawAnswer> =>
    RawSocket.ask(ara.url, plainRequest(path, headers, method));

  beforeAll(async () => {
    ara = await AraProcess.start();
    token = tokenFor('alice');
  });
  afterAll(() => ara.stop());

  it('grants an upgrade with nothing but what RFC 6455 asks for', async () => {
    expect(await upgrade(`/ws?token=${token}`)).toBe(`${GRANTED}\r\n`);
    const wishes = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
    expect(await upgrade(`/ws?token=${token}`, { ...wishes, 'Sec-WebSocket-Protocol': 'chat, superchat' })).toBe(
      `${GRANTED}\r\n`,
    );
    expect(await upgrade(`/ws?token=${token}`, { Connection: 'keep-alive, upgrade', Upgrade: 'WebSocket' })).toBe(
      `${GRANTED}\r\n`,
    );
    expect(await upgrade(`http://ara.test/ws?token=${token}`)).toBe(`${GRANTED}\r\n`);
  });

  it.each<readonly [Headers, string | undefined, string]>([
    [{ Upgrade: 'h2c' }, undefined, refused('400 Bad Request', "`Upgrade` header did not include 'websocket'")],
    [{ 'Sec-WebSocket-Key': undefined }, undefined, refused('400 Bad Request', '`Sec-WebSocket-Key` header missing')],
    [
      { 'Sec-WebSocket-Key': 'too short' },
      undefined,
      refused('400 Bad Request', '`Sec-WebSocket-Key` header is not 16 bytes in Base64'),
    ],
    ...['8', '14', '', undefined].map(
      (version) =>
        [
          { 'Sec-WebSocket-Version': version },
          undefined,
          refused('400 Bad Request', '`Sec-WebSocket-Version` header did not include 13', [
            'Sec-WebSocket-Version: 13',
          ]),
        ] as const,
    ),
    ...['POST', 'PUT', 'DELETE'].map(
      (method) =>
        [
          {},
          method,
          refused('405 Method Not Allowed', 'Method not allowed: a WebSocket opens with GET', ['Allow: GET']),
        ] as const,
    ),
  ])('refuses headers %j with verb %s before it looks at the token', async (headers, method, answer) => {
    for (const query of ['', '?token=bad', `?token=${token}`, `?token=${token}&token=${token}`]) {
      expect(await upgrade(`/ws${query}`, headers, method)).toBe(answer);
    }
  });

  it('tells a plain GET what is missing', async () => {
    for (const headers of [{}, { Upgrade: 'websocket' }]) {
      const { status, headers: answered, body } = await ask(`/ws?token=${token}`, headers);
      expect([status, answered['content-type'], body]).toEqual([
        400,
        PLAIN,
        "Connection header did not include 'upgrade'",
      ]);
    }
    const { status, body } = await ask('/ws', { Connection: 'close, Upgrade' });
    expect([status, body]).toEqual([400, "`Upgrade` header did not include 'websocket'"]);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('answers a plain %s with 405 and what is allowed', async (verb) => {
    for (const path of ['/ws', '/sse']) {
      const { status, headers } = await ask(path, { 'Content-Length': '0' }, verb);
      expect([status, headers['allow']]).toEqual([405, 'GET, HEAD']);
    }
  });

  it('answers HEAD without a stream', async () => {
    const { status, headers, body } = await ask(`/sse?token=${token}`, {}, 'HEAD');
    expect([status, headers['content-type'], body]).toEqual([200, 'text/event-stream', '']);
    expect((await ask('/sse', {}, 'HEAD')).status).toBe(401);
    expect((await ask(`/ws?token=${token}`, {}, 'HEAD')).status).toBe(405);
    expect((await ara.get('/health')).json()).toMatchObject({ connections: { total: 0 } });
  });

  it('refuses a repeated token before it looks at one', async () => {
    const text = 'Failed to deserialize query string: duplicate field `token`';
    for (const query of [`token=${token}&token=${token}`, `token=&x=1&token=${token}`, 'token&token']) {
      expect(await upgrade(`/ws?${query}`)).toBe(refused('400 Bad Request', text));
      const { status, headers, body } = await ask(`/sse?${query}`);
      expect([status, headers['content-type'], body]).toEqual([400, PLAIN, text]);
    }
  });

  describe('takes the token', () => {
    const MISSING = refused('401 Unauthorized', 'Missing authentication token');
    const INVALID = refused('401 Unauthorized', 'Invalid token');
    const sse = async (query: string, headers: Headers = {}): Promise<string> => {
      const socket = await RawSocket.open(ara.url);
      socket.write(plainRequest(`/sse${query}`, headers));
      const text = await socket.until('an answer', (at) => at.hasEnded || at.text.includes('event: connected'));
      socket.close();
      const { status, body, headers: answered } = parseAnswer(text);
      return status === 200 ? 'opened' : `${status} ${answered['content-type'] ?? ''} ${body}`;
    };

    it('from the query first', async () => {
      const others = { Authorization: `Bearer ${token}`, 'Sec-WebSocket-Protocol': `bearer, ${token}` };
      expect(await upgrade(`/ws?token=${token}`, { Authorization: 'Bearer bad' })).toBe(`${GRANTED}\r\n`);
      for (const query of ['?token=', '?token', '?token=bad', `?token=%20${token}`]) {
        expect(await upgrade(`/ws${query}`, others)).toBe(INVALID);
        expect(await sse(query, others)).toBe(`401 ${PLAIN} Invalid token`);
      }
      expect(await sse(`?token=${token}`, { Authorization: 'Bearer bad' })).toBe('opened');
    });

    it('else from Authorization, in this case and with this scheme', async () => {
      const authorized = (value: string): Headers => ({ Authorization: value });
      expect(await upgrade('/ws', authorized(`Bearer ${token}`))).toBe(`${GRANTED}\r\n`);
      expect(await sse('', authorized(`Bearer ${token}`))).toBe('opened');
      for (const value of [`bearer ${token}`, `BEARER ${token}`, token, `Basic ${token}`, `Bearer\t${token}`]) {
        expect(await upgrade('/ws', authorized(value))).toBe(MISSING);
        expect(await sse('', authorized(value))).toBe(`401 ${PLAIN} Missing authentication token`);
      }
      const offered = { 'Sec-WebSocket-Protocol': `bearer, ${token}` };
      expect(await upgrade('/ws', { ...authorized('Bearer bad'), ...offered })).toBe(INVALID);
    });

    it('else, for a WebSocket, from the subprotocols, and echoes the one it chose', async () => {
      const offering = (value: string): Promise<string> => upgrade('/ws', { 'Sec-WebSocket-Protocol': value });
      const echo = (name: string): string => `${GRANTED}Sec-WebSocket-Protocol: ${name}\r\n\r\n`;
      expect(await offering(`bearer, ${token}`)).toBe(echo('bearer'));
      expect(await offering(`chat,bearer,${token}`)).toBe(echo('bearer'));
      expect(await offering(token)).toBe(echo(token));
      for (const value of ['bearer', 'chat', `chat, ${token}`]) expect(await offering(value)).toBe(MISSING);
      for (const value of ['bearer, bad', 'a.b.c']) expect(await offering(value)).toBe(INVALID);
      expect(await sse('', { 'Sec-WebSocket-Protocol': `bearer, ${token}` })).toBe(
        `401 ${PLAIN} Missing authentication token`,
      );
    });

    it('or says that there is none', async () => {
      expect(await upgrade('/ws')).toBe(MISSING);
      expect(await upgrade('/ws?tokens=x')).toBe(MISSING);
      expect(await sse('')).toBe(`401 ${PLAIN} Missing authentication token`);
    });
  });

  it.each([
    ['late, but within the leeway', { exp: inSeconds(-30) }],
    ['not valid yet', { nbf: inSeconds(3600) }],
    ['for anybody, as no audience is configured', { aud: 'somebody else', iss: 'anybody' }],
    ['of a tenant that means nothing, as tenants are off', { tenant_id: 'a:b' }],
    ['without a role', { roles: [] }],
  ])('accepts a token that is %s', async (_, claims) => {
    expect(await upgrade(`/ws?token=${tokenFor('bob', claims)}`)).toBe(`${GRANTED}\r\n`);
  });

  describe('an upgrade that is not offered', () => {
    const send = JSON.stringify({ target_user_id: 'nobody', event_type: 'e', payload: null });
    const h2c = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAoAAAAAIAAAAA' };
    const posted = (body: string, more: Headers = {}): string =>
      upgradeRequest(
        '/api/v1/notifications/send',
        {
          ...{ 'Sec-WebSocket-Key': undefined, 'Sec-WebSocket-Version': undefined },
          ...{ 'X-API-Key': TEST_API_KEY, 'Content-Type': 'application/json', 'Content-Length': String(send.length) },
          ...h2c,
          ...more,
        },
        'POST',
      ) + body;

    it('is ignored: the request is answered as if it had not asked', async () => {
      for (const [path, key, status] of [
        ['/health', undefined, 200],
        ['/stats', undefined, 401],
        ['/stats', TEST_API_KEY, 200],
        ['/unknown', undefined, 401],
        ['/unknown', TEST_API_KEY, 404],
        ['/ws/', TEST_API_KEY, 404],
        ['/WS', undefined, 401],
        ['/', TEST_API_KEY, 404],
      ] as const) {
        const text = upgradeRequest(path, { Connection: 'Upgrade, close', 'X-API-Key': key });
        const { status: actual, headers } = await RawSocket.ask(ara.url, text);
        expect([path, key, actual]).toEqual([path, key, status]);
        expect(headers['content-type']).toBe('application/json; charset=utf-8');
      }
    });

    it('does not cost a request its body, in one piece or in many, nor the connection its next request', async () => {
      const socket = await RawSocket.open(ara.url);
      const answers = (count: number): Promise<string> =>
        socket.until(`${count} answers`, ({ text }) => text.split('"success":false').length > count);
      socket.write(posted(send));
      await answers(1);
      const [start, end] = [posted(send).slice(0, -20), posted(send).slice(-20)];
      socket.write(start);
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.write(end);
      await answers(2);
      socket.write(posted(send, { Connection: 'Upgrade, HTTP2-Settings, close' }));
      await answers(3);
      await within(2_000, socket.ended, 'the connection was not closed as asked');
    });
  });

  it('is over with its refusal, also for a client that leaves its side open', async () => {
    const socket = await RawSocket.open(ara.url, { keepOpen: true });
    socket.write(upgradeRequest('/ws'));
    await socket.ended;
    const gone = new Promise((resolve) => socket.socket.once('close', resolve));
    const nagging = setInterval(() => {
      socket.write('more');
    }, 20);
    await within(2_000, gone, 'the server still holds the connection').finally(() => {
      clearInterval(nagging);
      socket.close();
    });
  });

  it('answers a stream that is pipelined behind another request', async () => {
    const socket = await RawSocket.open(ara.url);
    const first = plainRequest('/stats', { 'X-API-Key': TEST_API_KEY, Connection: 'keep-alive' });
    socket.write(first + plainRequest(`/sse?token=${token}`, { Connection: 'keep-alive' }));
    await socket.until('two answers', ({ text }) => text.split('HTTP/1.1 ').length > 2);
    expect(socket.text).toMatch(/HTTP\/1.1 (200 OK|400 Bad Request)\r\n[^]*HTTP\/1.1 (200 OK|400 Bad Request)\r\n/);
    socket.close();
  });
});

describe.each(['HS256', 'RS256', 'ES256'] as const)('forged tokens, with %s', (algorithm) => {
  let ara: AraProcess;
  let issuer: TokenIssuer;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ara-keys-'));
    const settings = { JWT_ISSUER: 'https://id.example', JWT_AUDIENCE: 'ara', TENANT_ENABLED: 'true' };
    const facts = { leewaySeconds: 60, issuer: 'https://id.example', audience: 'ara', tenancy: true };
    const nowSeconds = inSeconds(0);
    if (algorithm === 'HS256') {
      issuer = { algorithm, key: TEST_JWT_SECRET, nowSeconds, ...facts };
      ara = await AraProcess.start(settings);
    } else {
      const pair =
        algorithm === 'RS256'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const pem = join(folder, 'public.pem');
      writeFileSync(pem, pair.publicKey.export({ type: 'spki', format: 'pem' }));
      const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      issuer = { algorithm, key, nowSeconds, ...facts };
      ara = await AraProcess.start({ ...settings, JWT_ALGORITHM: algorithm, JWT_PUBLICKEY: pem });
    }
  });
  afterAll(async () => {
    await ara.stop();
    rmSync(folder, { recursive: true });
  });

  const carried: Record<TokenCarrier, (token: string) => { query: string; headers: Headers }> = {
    query: (token) => ({ query: `?token=${encodeURIComponent(token)}`, headers: {} }),
    authorization: (token) => ({ query: '', headers: { Authorization: `Bearer ${token}` } }),
    subprotocol: (token) => ({ query: '', headers: { 'Sec-WebSocket-Protocol': `bearer, ${token}` } }),
  };
  const ways: Record<string, (carrier: TokenCarrier, token: string) => Promise<string>> = {
    '/ws': async (carrier, token) => {
      const { query, headers } = carried[carrier](token);
      const {
        status,
        body,
        headers: answered,
      } = parseAnswer(await answerTo(ara.url, upgradeRequest(`/ws${query}`, headers)));
      return `${status} ${answered['content-type'] ?? ''} ${body}`;
    },
    '/sse': async (carrier, token) => {
      const { query, headers } = carried[carrier](token);
      const { status, text, headers: answered } = await http('GET', ara.url, `/sse${query}`, { headers });
      return `${status} ${answered['content-type'] ?? ''} ${text}`;
    },
  };

  it.each([
    ['/ws', 'query'],
    ['/ws', 'authorization'],
    ['/ws', 'subprotocol'],
    ['/sse', 'query'],
    ['/sse', 'authorization'],
  ] as const)('are all refused at %s by %s', async (path, carrier) => {
    const forgeries = forgedTokens(issuer).filter(({ carriers }) => carriers.includes(carrier));
    expect(forgeries.length).toBeGreaterThanOrEqual(60);
    const accepted: Record<string, string> = {};
    const check = async ({ name, token }: ForgedToken): Promise<void> => {
      const answer = await ways[path]!(carrier, token);
      if (answer !== `401 ${PLAIN} Invalid token`) accepted[name] = answer;
    };
    for (let i = 0; i < forgeries.length; i += 32) await Promise.all(forgeries.slice(i, i + 32).map(check));
    expect(accepted).toEqual({});
  });

  it.each(['query', 'authorization', 'subprotocol'] as const)('leave the genuine one valid, by %s', async (carrier) => {
    for (const claims of [{}, { aud: ['x', 'ara'], iss: 'https://id.example', tenant_id: 'acme', roles: ['a'] }]) {
      expect(await ways['/ws']!(carrier, new Genuine(issuer).token(claims))).toMatch(/^101 /);
    }
  });
});

describe('the origin of a page, in production', () => {
  const PRODUCTION = { RUN_MODE: 'production', JWT_SECRET: 'kq3Vv0x8TzL1mN5bR7cW9yE2uH4jG6fD', API_KEY: TEST_API_KEY };
  const FORBIDDEN = refused('403 Forbidden', 'Origin not allowed');
  let ara: AraProcess;
  const upgrade = (query: string, headers: Headers): Promise<string> =>
    answerTo(ara.url, upgradeRequest(`/ws${query}`, headers));

  describe('with CORS_ORIGINS', () => {
    beforeAll(async () => {
      ara = await AraProcess.start({ ...PRODUCTION, CORS_ORIGINS: 'https://app.example,https://b.example:8443' });
    });
    afterAll(() => ara.stop());

    it('must be listed, exactly', async () => {
      const token = `?token=${tokenFor('alice', {}, PRODUCTION.JWT_SECRET)}`;
      for (const Origin of ['https://app.example', 'https://b.example:8443', undefined]) {
        expect(await upgrade(token, { Origin })).toBe(`${GRANTED}\r\n`);
      }
      for (const Origin of [
        'https://evil.example',
        'http://app.example',
        'https://app.example.evil.example',
        'https://app.example:443',
        'https://APP.example',
        'null',
        '*',
        '',
      ]) {
        expect([Origin, await upgrade(token, { Origin })]).toEqual([Origin, FORBIDDEN]);
      }
    });

    it('is looked at after the upgrade headers and before the token', async () => {
      const Origin = 'https://evil.example';
      expect(await upgrade('', { Origin, 'Sec-WebSocket-Version': '8' })).toContain('400 Bad Request');
      for (const query of ['', '?token=bad', '?token=a&token=b'])
        expect(await upgrade(query, { Origin })).toBe(FORBIDDEN);
      expect(await upgrade('', { Origin: 'https://app.example' })).toContain('401 Unauthorized');
    });
  });

  it('may be any while none is listed', async () => {
    ara = await AraProcess.start(PRODUCTION);
    try {
      const token = tokenFor('alice', {}, PRODUCTION.JWT_SECRET);
      expect(await upgrade(`?token=${token}`, { Origin: 'https://any.example' })).toBe(`${GRANTED}\r\n`);
    } finally {
      await ara.stop();
    }
  });
});

describe('the limit of connection attempts', () => {
  const ATTEMPTS = 6;
  let ara: AraProcess;
  const from = (address: string): Headers => ({ 'X-Forwarded-For': address });

  beforeAll(async () => {
    ara = await AraProcess.start({
      RATELIMIT_ENABLED: 'true',
      RATELIMIT_WS_CONNECTIONS_PER_MINUTE: String(ATTEMPTS),
      TRUST_PROXY: '1',
    });
  });
  afterAll(() => ara.stop());

  const tooMany = (head: string, body: string): void => {
    const { status, headers } = parseAnswer(`${head}\r\n\r\n`);
    expect(status).toBe(429);
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'retry-after': '60',
      'x-ratelimit-limit': String(ATTEMPTS),
      'x-ratelimit-remaining': '0',
    });
    const reset = Number(headers['x-ratelimit-reset']);
    expect(Math.abs(reset - inSeconds(60))).toBeLessThanOrEqual(15);
    expect(body).toBe(
      '{"error":{"code":"RATE_LIMITED","message":"Too many requests, please retry after 60 seconds","retry_after_seconds":60}}',
    );
  };
  const expectTooMany = (answer: string): void => {
    const end = answer.indexOf('\r\n\r\n');
    tooMany(answer.slice(0, end), answer.slice(end + 4));
  };

  it('is one for /ws and /sse, is used up by failed attempts too, and is told before anything else', async () => {
    const token = tokenFor('alice');
    const upgrade = (query: string, headers: Headers = {}, method = 'GET'): Promise<string> =>
      answerTo(ara.url, upgradeRequest(`/ws${query}`, { ...from('192.0.2.1'), ...headers }, method));
    const get = (path: string): Promise<string> => answerTo(ara.url, plainRequest(path, from('192.0.2.1')));

    expect(await upgrade(`?token=${token}`)).toContain(' 101 ');
    expect(await upgrade('')).toContain(' 401 ');
    expect(await upgrade('', { 'Sec-WebSocket-Version': '7' })).toContain(' 400 ');
    expect(await get('/ws')).toContain(' 400 ');
    expect(await get('/sse')).toContain(' 401 ');
    expect(await get('/sse?token=bad')).toContain(' 401 ');

    expectTooMany(await upgrade(`?token=${token}`));
    expectTooMany(await upgrade('?token=bad', { 'Sec-WebSocket-Key': undefined }));
    expectTooMany(await upgrade('', {}, 'POST'));
    for (const path of [`/sse?token=${token}`, '/sse', '/ws']) {
      expectTooMany(await answerTo(ara.url, plainRequest(path, from('192.0.2.1'))));
    }
  });

  it('is one per address, and none of REST', async () => {
    const token = tokenFor('alice');
    const upgrade = (address: string): Promise<string> =>
      answerTo(ara.url, upgradeRequest(`/ws?token=${token}`, from(address)));
    for (let i = 0; i < ATTEMPTS; i++) expect(await upgrade('192.0.2.7')).toContain(' 101 ');
    expectTooMany(await upgrade('192.0.2.7'));
    expect(await upgrade('192.0.2.8')).toContain(' 101 ');
    expect((await ara.get('/stats', { 'x-forwarded-for': '192.0.2.7' })).status).toBe(200);
  });
});
