import type { IncomingMessage } from 'node:http';
import { checkUpgrade } from './upgrade-check';

const SOUND = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
};

function check(
  headers: Readonly<Record<string, string | undefined>> = {},
  allowedOrigins: readonly string[] = [],
  method = 'GET',
): ReturnType<typeof checkUpgrade> {
  return checkUpgrade({ method, headers: { ...SOUND, ...headers } } as unknown as IncomingMessage, allowedOrigins);
}

it('lets a proper handshake pass', () => {
  expect(check()).toBeUndefined();
});

it.each([
  { connection: 'keep-alive, upgrade' },
  { connection: 'UPGRADE' },
  { upgrade: 'WebSocket' },
  { 'sec-websocket-key': '++++++++++//////////AA==' },
])('lets %j pass, too', (headers) => {
  expect(check(headers)).toBeUndefined();
});

it.each([
  [{ connection: undefined }, "Connection header did not include 'upgrade'"],
  [{ connection: 'keep-alive' }, "Connection header did not include 'upgrade'"],
  [{ connection: 'upgraded' }, "Connection header did not include 'upgrade'"],
  [{ upgrade: undefined }, "`Upgrade` header did not include 'websocket'"],
  [{ upgrade: 'h2c' }, "`Upgrade` header did not include 'websocket'"],
  [{ 'sec-websocket-key': undefined }, '`Sec-WebSocket-Key` header missing'],
  [{ 'sec-websocket-key': '' }, '`Sec-WebSocket-Key` header is not 16 bytes in Base64'],
  [{ 'sec-websocket-key': 'dG9vIHNob3J0' }, '`Sec-WebSocket-Key` header is not 16 bytes in Base64'],
  [{ 'sec-websocket-version': undefined }, '`Sec-WebSocket-Version` header did not include 13'],
  [{ 'sec-websocket-version': '8' }, '`Sec-WebSocket-Version` header did not include 13'],
])('refuses %j with 400 and says why', (headers, body) => {
  expect(check(headers)).toMatchObject({ status: 400, body, contentType: 'text/plain; charset=utf-8' });
});

it('tells which version it speaks', () => {
  expect(check({ 'sec-websocket-version': '8' })?.headers).toMatchObject({ 'Sec-WebSocket-Version': '13' });
});

it('answers any other verb with 405, before anything else', () => {
  expect(check({ upgrade: 'h2c' }, [], 'POST')).toMatchObject({ status: 405, headers: { Allow: 'GET' } });
});

it('refuses pages from elsewhere, last of all; what is no browser has no Origin', () => {
  const allowed = ['https://app.example'];
  expect(check({ origin: 'https://app.example' }, allowed)).toBeUndefined();
  expect(check({}, allowed)).toBeUndefined();
  expect(check({ origin: 'https://evil.example' }, [])).toBeUndefined();
  expect(check({ origin: 'https://evil.example' }, allowed)).toMatchObject({ status: 403, body: 'Origin not allowed' });
  expect(check({ origin: 'https://app.example.evil' }, allowed)?.status).toBe(403);
  expect(check({ origin: 'null' }, allowed)?.status).toBe(403);
  expect(check({ origin: 'https://evil.example', upgrade: 'h2c' }, allowed)?.status).toBe(400);
});
