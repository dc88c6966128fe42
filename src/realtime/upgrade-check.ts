import type { IncomingMessage } from 'node:http';
import { type Refusal, refusal } from './handshake';

const KEY = /^[+/0-9A-Za-z]{22}==$/;

/**
 * Whether a request is a proper WebSocket handshake (RFC 6455, 4.2.1), and from an allowed page: browsers send an
 * `Origin`, other clients need not. `allowedOrigins` empty: any.
 */
export function checkUpgrade(request: IncomingMessage, allowedOrigins: readonly string[]): Refusal | undefined {
  const { headers, method } = request;
  if (method !== 'GET') return refusal(405, 'Method not allowed: a WebSocket opens with GET', { Allow: 'GET' });
  if (!listed(headers.connection, 'upgrade')) return refusal(400, "Connection header did not include 'upgrade'");
  if (headers.upgrade?.toLowerCase() !== 'websocket')
    return refusal(400, "`Upgrade` header did not include 'websocket'");
  const key = headers['sec-websocket-key'];
  if (key === undefined) return refusal(400, '`Sec-WebSocket-Key` header missing');
  if (!KEY.test(key)) return refusal(400, '`Sec-WebSocket-Key` header is not 16 bytes in Base64');
  if (headers['sec-websocket-version'] !== '13') {
    return refusal(400, '`Sec-WebSocket-Version` header did not include 13', { 'Sec-WebSocket-Version': '13' });
  }
  const { origin } = headers;
  if (origin !== undefined && allowedOrigins.length > 0 && !allowedOrigins.includes(origin)) {
    return refusal(403, 'Origin not allowed');
  }
  return undefined;
}

function listed(header: string | undefined, token: string): boolean {
  return header?.split(',').some((part) => part.trim().toLowerCase() === token) ?? false;
}
