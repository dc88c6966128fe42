import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import jwt from 'jsonwebtoken';
import { WebSocketServer, type WebSocket } from 'ws';
import { freePort } from './free-port';
import { http } from './http';
import { Inbox } from './inbox';
import { SseClient, StreamRefused } from './sse-client';
import { TEST_JWT_SECRET, TestKeyPair, tokenFor } from './tokens';
import { until } from './until';
import { UpgradeRefused, WsClient } from './ws-client';

// What all other tests stand on, against a server that does what it is told.

describe('Inbox', () => {
  it('gives what is here, waits for what is not, and leaves the rest in order', async () => {
    const inbox = new Inbox<number>();
    for (const item of [1, 2, 3]) inbox.push(item);
    expect(await inbox.next((item) => item > 1)).toBe(2);
    const later = inbox.next((item) => item === 5);
    inbox.push(4);
    inbox.push(5);
    expect(await later).toBe(5);
    expect(inbox.drain()).toEqual([1, 3, 4]);
    expect(inbox.all).toEqual([1, 2, 3, 4, 5]);
  });

  it('fails when the time is up or nothing will come any more, and says what came', async () => {
    const inbox = new Inbox<string>();
    inbox.push('other');
    await expect(inbox.next((item) => item === 'wanted', 10)).rejects.toThrow('other');
    const waiting = inbox.next((item) => item === 'wanted');
    inbox.end('gone');
    await expect(waiting).rejects.toThrow('gone');
    await expect(inbox.next((item) => item === 'wanted')).rejects.toThrow('gone');
    expect(await inbox.next()).toBe('other');
  });
});

it('until shows the last error when the time is up', async () => {
  let calls = 0;
  expect(await until('third call', () => ++calls === 3 && 'done')).toBe('done');
  const failing = until('never', () => Promise.reject(new Error('why')), 30);
  await expect(failing).rejects.toMatchObject({
    message: expect.stringContaining('never') as string,
    cause: { message: 'why' },
  });
});

it('tokens can be verified, and carry any claim', () => {
  expect(jwt.verify(tokenFor('u', { roles: ['a'] }), TEST_JWT_SECRET)).toMatchObject({ sub: 'u', roles: ['a'] });
  expect(jwt.decode(tokenFor(7, { exp: undefined, roles: null }))).toEqual({ sub: 7, roles: null });
  for (const algorithm of ['RS256', 'ES256'] as const) {
    const pair = new TestKeyPair(algorithm);
    expect(jwt.verify(pair.tokenFor('u'), pair.publicPem, { algorithms: [algorithm] })).toMatchObject({ sub: 'u' });
  }
});

describe('freePort', () => {
  it('gives none twice, none that is taken, and none that an outgoing connection may get', async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
    expect(new Set(ports).size).toBe(50);
    expect(Math.max(...ports)).toBeLessThan(20_000);
    const port = await freePort();
    const taken = createServer().listen(port, '127.0.0.1');
    await once(taken, 'listening');
    // Once around.
    const others = await Promise.all(Array.from({ length: 500 }, () => freePort()));
    taken.close();
    expect(others).not.toContain(port);
  });
});

describe('the clients', () => {
  let server: Server;
  let url: string;
  let peer: Promise<WebSocket>;

  beforeEach(async () => {
    server = createServer((request, response) => {
      if (request.url === '/stream') {
        response.write(': hi\n\nevent: a\nid: 1\nretry: 3\ndata: x\ndata: y\n\ndata:z\n');
        response.end('\n');
      } else {
        response.writeHead(418, { 'x-echo': JSON.stringify(request.headers) });
        request.pipe(response);
      }
    });
    const sockets = new WebSocketServer({ noServer: true });
    peer = new Promise((resolve) => {
      server.on('upgrade', (request, socket, head) => {
        if (request.url === '/refused') socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nInvalid');
        else sockets.handleUpgrade(request, socket, head, resolve);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('http sends JSON or bytes, and takes any status', async () => {
    const answer = await http('POST', url, '/%zz//x', { body: { a: 1 }, headers: { 'x-a': 'b' } });
    expect([answer.status, answer.text, answer.json()]).toEqual([418, '{"a":1}', { a: 1 }]);
    expect(answer.headers['x-echo']).toContain('"content-type":"application/json"');
    expect((await http('POST', url, '/', { body: '{"n": 1.0}' })).text).toBe('{"n": 1.0}');
    expect((await http('GET', url, '/')).headers['x-echo']).not.toContain('content-');
  });

  it('WsClient reads frames, and learns how it ended', async () => {
    const client = await WsClient.connect(url.replace('http', 'ws'));
    const other = await peer;
    other.on('message', (data: Buffer) => {
      other.send(data.toString().includes('Ping') ? '{"type":"pong"}' : '{"type":"subscribed","payload":["a"]}');
    });
    other.send('{"type":"notification","id":"1"}');
    expect(await client.notification()).toMatchObject({ id: '1', text: '{"type":"notification","id":"1"}' });
    expect(await client.subscribe('a')).toMatchObject({ payload: ['a'] });
    other.send('{"type":"heartbeat"}');
    expect(await client.settled()).toMatchObject([{ type: 'heartbeat' }]);
    other.close(1001, 'bye');
    expect(await client.closed).toEqual({ code: 1001, reason: 'bye' });
    await expect(client.next()).rejects.toThrow('1001');
  });

  it('WsClient shows why it was refused', async () => {
    const refusal = await WsClient.connect(`${url.replace('http', 'ws')}/refused`).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UpgradeRefused);
    expect(refusal).toMatchObject({ status: 401, text: 'Invalid' });
  });

  it('SseClient reads events, comments and bytes', async () => {
    const client = await SseClient.connect(`${url}/stream`);
    expect(await client.next('a')).toEqual({ event: 'a', id: '1', retry: 3, data: 'x\ny' });
    expect(await client.next()).toEqual({ event: 'message', data: 'z' });
    await client.ended;
    expect(client.comments).toEqual(['hi']);
    expect(client.raw).toContain('data: x\ndata: y');
    await expect(client.next()).rejects.toThrow('ended');
    await expect(SseClient.connect(url)).rejects.toBeInstanceOf(StreamRefused);
  });
});
