import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import jwt from 'jsonwebtoken';
import { WebSocketServer, type WebSocket } from 'ws';
import { loadConfig } from '../config/load-config';
import { runCommandLine } from './program';
import type { Terminal } from './terminal';
import { welcome } from './welcome';

const SECRET = 'a-secret-of-the-tests-that-is-long-enough';
const ID = '0192f0c1-7a3b-7c4d-8e5f-0123456789ab';
const NOTIFICATION = `{"type":"notification","id":"${ID}","occurred_at":"2025-12-27T10:30:00.000Z","event_type":"e","payload":{"n":9007199254740993},"metadata":{}}`;

class TestTerminal implements Terminal {
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly interruption = new AbortController();
  readonly interrupted = this.interruption.signal;
  readonly cwd = mkdtempSync(join(tmpdir(), 'ara-cli-'));
  input = '';
  onLine: (line: string) => void = () => undefined;

  constructor(readonly env: Record<string, string> = { JWT_SECRET: SECRET, API_KEY: 'configured-key' }) {}

  out(line: string): void {
    this.lines.push(line);
    this.onLine(line);
  }

  err(line: string): void {
    this.errors.push(line);
    this.onLine(line);
  }

  readInput(): Promise<string> {
    return Promise.resolve(this.input);
  }

  run(...args: string[]): Promise<number> {
    return runCommandLine(args, this);
  }
}

describe('usage', () => {
  it.each([
    [['--help']],
    [['send', '--help']],
    [['send', 'user', '--help']],
    [['listen', '--help']],
    [['token', '--help']],
  ])('%j explains', async (args) => {
    const terminal = new TestTerminal();
    expect(await terminal.run(...args)).toBe(0);
    expect(terminal.lines.join('\n')).toContain('Usage: ara');
  });

  it.each([
    [[]],
    [['nonsense']],
    [['token']],
    [['token', '--user', 'u', '--ttl', 'soon']],
    [['listen', '--url', 'ftp://x']],
    [['listen', '--count', '0']],
    [['send', 'user', 'u']],
    [['send', 'user', 'u', '--event', 'e']],
    [['send', 'user', 'u', '--event', 'e', '--payload', 'no quotes']],
    [['send', 'user', 'u', '--event', 'e', '--payload', '1', '--priority', 'high']],
    [['send', 'user', 'u', '--event', 'e', '--payload', '1', '--ttl', '1.5']],
    [['send', 'user', 'u', '--template', 't', '--variables', '[]']],
    [['send', 'user', 'u', '--template', 't', '--var', 'x']],
  ])('%j is wrong', async (args) => {
    const terminal = new TestTerminal();
    expect(await terminal.run(...args)).toBe(2);
    expect(terminal.errors.join('\n')).not.toBe('');
  });
});

describe('ara token', () => {
  it('signs with the configured secret, and for the configured issuer and audience', async () => {
    const terminal = new TestTerminal({ JWT_SECRET: SECRET, JWT_ISSUER: 'i', JWT_AUDIENCE: 'a' });
    expect(
      await terminal.run(
        'token',
        '--user',
        'u',
        '--tenant',
        't',
        '--roles',
        'x,y',
        '--channels',
        'orders.*',
        '--ttl',
        '30m',
      ),
    ).toBe(0);
    const claims = jwt.verify(terminal.lines[0]!, SECRET) as jwt.JwtPayload;
    expect(claims).toMatchObject({
      sub: 'u',
      tenant_id: 't',
      roles: ['x', 'y'],
      channels: ['orders.*'],
      iss: 'i',
      aud: 'a',
    });
    expect(claims.exp! - claims.iat!).toBe(1800);
  });

  it('says as JSON when it ends, and claims nothing that was not asked for', async () => {
    const terminal = new TestTerminal();
    await terminal.run('token', '--user', 'u', '--json');
    const { token, expires_at: expiresAt } = JSON.parse(terminal.lines[0]!) as { token: string; expires_at: string };
    const { exp, iat, ...rest } = jwt.verify(token, SECRET) as jwt.JwtPayload;
    expect(rest).toEqual({ sub: 'u' });
    expect([exp, (exp ?? 0) - (iat ?? 0)]).toEqual([Date.parse(expiresAt) / 1000, 3600]);
  });

  it('signs ES256 with a private key, and not without', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const terminal = new TestTerminal({ JWT_ALGORITHM: 'ES256', JWT_PUBLICKEY: 'public.pem' });
    const publicPem = publicKey.export({ type: 'spki', format: 'pem' });
    writeFileSync(join(terminal.cwd, 'public.pem'), publicPem);
    writeFileSync(join(terminal.cwd, 'private.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(await terminal.run('token', '--user', 'u')).toBe(2);
    expect(await terminal.run('token', '--user', 'u', '--private-key', 'private.pem')).toBe(0);
    expect(jwt.verify(terminal.lines[0]!, publicPem, { algorithms: ['ES256'] })).toMatchObject({ sub: 'u' });
  });

  it('without a valid configuration names what is wrong with it', async () => {
    const terminal = new TestTerminal({});
    expect(await terminal.run('token', '--user', 'u')).toBe(1);
    expect(terminal.errors.join('\n')).toContain('JWT_SECRET');
  });
});

describe('ara config', () => {
  it('accepts what the service would start with', async () => {
    const terminal = new TestTerminal();
    expect(await terminal.run('config', 'check')).toBe(0);
    expect(terminal.lines.at(-1)).toBe('The configuration is valid.');
  });

  it('shows what can be set', async () => {
    const terminal = new TestTerminal({});
    expect(await terminal.run('config', 'variables')).toBe(0);
    expect(terminal.lines.join('\n')).toMatch(/^# SERVER_PORT=8081$/m);
  });

  it('names every mistake', async () => {
    const terminal = new TestTerminal({ JWT_SECRET: 'short', SERVER_PORT: '0' });
    expect(await terminal.run('config', 'check')).toBe(1);
    expect(terminal.lines.join('\n')).toMatch(/JWT_SECRET[^]*SERVER_PORT|SERVER_PORT[^]*JWT_SECRET/);
    expect(await terminal.run('config', 'check', '--json')).toBe(1);
    const findings = JSON.parse(terminal.lines.at(-1)!) as { ok: boolean; mistakes: { variable: string }[] };
    expect(findings.ok).toBe(false);
    expect(findings.mistakes.map(({ variable }) => variable).sort()).toEqual(['JWT_SECRET', 'SERVER_PORT']);
  });
});

describe('ara migrate', () => {
  it.each(['up', 'status'])('%s fails when the database is not there', async (verb) => {
    const terminal = new TestTerminal({ JWT_SECRET: SECRET, DATABASE_URL: 'postgres://ara:pass-word@127.0.0.1:2/ara' });
    expect(await terminal.run('migrate', verb)).toBe(3);
    expect(terminal.errors).toEqual(['Cannot reach PostgreSQL: ECONNREFUSED']);
  });

  it('leaves an embedded database to the service', async () => {
    const terminal = new TestTerminal({ JWT_SECRET: SECRET, DATABASE_URL: 'embedded:data' });
    expect(await terminal.run('migrate', 'up')).toBe(2);
  });
});

describe('with a service', () => {
  let server: Server;
  let sockets: WebSocketServer;
  let url: string;
  let requests: { path: string; headers: IncomingMessage['headers']; body: string }[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      void text(request).then((body) => {
        requests.push({ path: request.url ?? '', headers: request.headers, body });
        answer(request, response);
      });
    });
    sockets = new WebSocketServer({ server });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    server.close();
  });

  describe('ara send', () => {
    const sent = (fields: object): void => {
      answer = (_, response) => {
        response.end(JSON.stringify({ success: true, notification_id: ID, delivered_to: 2, failed: 0, ...fields }));
      };
    };

    it.each([
      [['user', 'u'], 'send', '{"target_user_id":"u",'],
      [['users', 'u', 'v'], 'send-to-users', '{"target_user_ids":["u","v"],'],
      [['channel', 'c'], 'channel', '{"channel":"c",'],
      [['channels', 'c', 'd'], 'channels', '{"channels":["c","d"],'],
      [['broadcast'], 'broadcast', '{'],
      [['broadcast', '--roles', 'a,b'], 'broadcast', '{"audience":{"type":"Roles","value":["a","b"]},'],
    ])('%j', async (target, path, start) => {
      sent({});
      const terminal = new TestTerminal();
      expect(
        await terminal.run(
          'send',
          ...target,
          '--url',
          `${url}/`,
          '--event',
          'e',
          '--payload',
          '{"n": 9007199254740993}',
        ),
      ).toBe(0);
      expect(requests).toEqual([
        {
          path: `/api/v1/notifications/${path}`,
          headers: expect.objectContaining({
            'x-api-key': 'configured-key',
            'content-type': 'application/json',
          }) as object,
          body: `${start}"event_type":"e","payload":{"n": 9007199254740993}}`,
        },
      ]);
      expect(terminal.lines).toEqual([`${ID}: delivered to 2`]);
    });

    it('passes on every option, and the answer as it is', async () => {
      sent({ failed: 1, queued: true });
      const terminal = new TestTerminal();
      const options = [
        '--priority',
        'High',
        '--ttl',
        '60',
        '--correlation-id',
        'c',
        '--tenant',
        't',
        '--key',
        'k',
        '--json',
      ];
      await terminal.run(
        'send',
        'user',
        'u',
        '--url',
        url,
        '--template',
        'x',
        '--variables',
        '{"n":1}',
        '--var',
        'a=b=c',
        ...options,
      );
      expect(JSON.parse(requests[0]!.body)).toEqual({
        target_user_id: 'u',
        template_id: 'x',
        variables: { n: 1, a: 'b=c' },
        priority: 'High',
        ttl: 60,
        correlation_id: 'c',
      });
      expect(requests[0]!.headers).toMatchObject({ 'x-tenant-id': 't', 'x-api-key': 'k' });
      expect(JSON.parse(terminal.lines[0]!)).toMatchObject({ notification_id: ID, queued: true });
    });

    it('reads the payload from the standard input', async () => {
      sent({ queued: true, delivered_to: 0, failed: 1 });
      const terminal = new TestTerminal();
      terminal.input = '[1]\n';
      expect(await terminal.run('send', 'user', 'u', '--url', url, '--event', 'e', '--payload', '-')).toBe(0);
      expect(JSON.parse(requests[0]!.body)).toMatchObject({ payload: [1] });
      expect(terminal.lines).toEqual([`${ID}: delivered to 0, failed for 1, kept for the absent`]);
    });

    it('fails when nobody was reached, when it was refused, and when nobody is there', async () => {
      const terminal = new TestTerminal({ JWT_SECRET: SECRET });
      const command = ['send', 'broadcast', '--event', 'e', '--payload', '1', '--url'];
      sent({ success: false, delivered_to: 0 });
      expect(await terminal.run(...command, url)).toBe(1);
      expect(requests[0]!.headers).not.toHaveProperty('x-api-key');
      answer = (_, response) => response.writeHead(401).end('{"error":{"code":"UNAUTHORIZED"}}');
      expect(await terminal.run(...command, url)).toBe(1);
      expect(terminal.errors.at(-1)).toContain('UNAUTHORIZED');
      expect(await terminal.run(...command, 'http://127.0.0.1:2')).toBe(3);
      expect(terminal.errors.at(-1)).toContain('ECONNREFUSED');
    });
  });

  describe('ara listen', () => {
    it('subscribes, acknowledges, prints, and ends after so many', async () => {
      const received: unknown[] = [];
      sockets.on('connection', (socket: WebSocket, request) => {
        received.push(jwt.verify(request.headers.authorization!.replace('Bearer ', ''), SECRET));
        socket.on('message', (data: Buffer) => {
          received.push(JSON.parse(data.toString()));
          if (received.length === 2)
            for (const message of ['{"type":"heartbeat"}', NOTIFICATION, NOTIFICATION]) socket.send(message);
        });
      });
      const terminal = new TestTerminal();
      expect(
        await terminal.run('listen', '--url', url, '--user', 'u', '--channels', 'a,b', '--ack', '--count', '1'),
      ).toBe(0);
      expect(terminal.lines).toEqual(['{"type":"heartbeat"}', '2025-12-27T10:30:00.000Z e {"n":9007199254740993}']);
      expect(received).toMatchObject([
        { sub: 'u' },
        { type: 'Subscribe', payload: { channels: ['a', 'b'] } },
        { type: 'Ack', payload: { notification_id: ID } },
      ]);
    });

    it('comes back when the connection is lost, until it is interrupted', async () => {
      let connections = 0;
      sockets.on('connection', (socket) => {
        if (++connections === 1) socket.close(1001, 'bye');
        else socket.send(NOTIFICATION);
      });
      const terminal = new TestTerminal();
      terminal.onLine = (line) => {
        if (line === NOTIFICATION) terminal.interruption.abort();
      };
      expect(await terminal.run('listen', '--url', url, '--json')).toBe(0);
      expect(terminal.errors[1]).toMatch(/^closed with 1001 \(bye\); next attempt in 0\.\d s$/);
      expect(terminal.lines).toEqual([NOTIFICATION]);
    });

    it('reads Server-Sent Events, also when they arrive in pieces', async () => {
      answer = (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('event: connected\nretry: 3000\ndata: {"type":"connected"}\n\n: heartbeat\n\nevent: notif');
        setImmediate(() => response.write(`ication\nid: ${ID}\ndata: ${NOTIFICATION}\n\n`));
      };
      const terminal = new TestTerminal();
      expect(
        await terminal.run(
          'listen',
          '--sse',
          '--url',
          url,
          '--channels',
          'a',
          '--token',
          't',
          '--json',
          '--count',
          '1',
        ),
      ).toBe(0);
      expect(requests[0]).toMatchObject({ path: '/sse?channels=a', headers: { authorization: 'Bearer t' } });
      expect(terminal.lines).toEqual(['{"type":"connected"}', NOTIFICATION]);
    });

    it.each([[[]], [['--sse']]])(
      '%j: gives up when it is refused, when nobody is there, and when it shall not come back',
      async (transport) => {
        const terminal = new TestTerminal();
        const listen = (where: string): Promise<number> =>
          terminal.run('listen', '--no-reconnect', ...transport, '--url', where);
        sockets.on('connection', (socket) => {
          socket.close();
        });
        answer = (_, response) => response.end();
        expect(await listen(url)).toBe(1);
        expect(terminal.errors.at(-1)).toContain('ended');

        sockets.options.verifyClient = () => false;
        answer = (_, response) => response.writeHead(401).end('Invalid token');
        expect(await listen(url)).toBe(1);
        expect(terminal.errors.at(-1)).toContain('401');

        expect(await listen('http://127.0.0.1:2')).toBe(3);
      },
    );
  });
});

describe('welcome', () => {
  const configOf = (env: Record<string, string>) =>
    loadConfig({ env: { JWT_SECRET: SECRET, ...env }, cwd: tmpdir() }).config;

  it('gives a token that works, and leaves the API key where it is', () => {
    const { cwd } = new TestTerminal();
    const config = configOf({ API_KEY: 'the-api-key-itself', SERVER_PORT: '9000', TENANT_ENABLED: 'true' });
    const text = welcome(config, cwd);
    expect(jwt.verify(/^ +([\w-]+\.[\w-]+\.[\w-]+)$/m.exec(text)![1]!, SECRET)).toMatchObject({ sub: 'demo' });
    expect(text).toContain('http://localhost:9000/sse');
    expect(text).toContain('X-API-Key: $API_KEY');
    expect(text).toContain('X-Tenant-ID: default');
    expect(text).not.toContain('the-api-key-itself');
    writeFileSync(join(cwd, '.env'), 'JWT_SECRET=x\nAPI_KEY=the-api-key-itself\n');
    expect(welcome(config, cwd)).toContain('$(sed -n s/^API_KEY=//p .env)');
    expect(welcome(configOf({}), cwd)).not.toContain('X-API-Key');
  });

  it('is silent in production', () => {
    expect(
      welcome(
        configOf({ RUN_MODE: 'production', API_KEY: 'an-api-key-that-is-long', CORS_ORIGINS: 'https://a.example' }),
        '.',
      ),
    ).toBe('');
  });
});
