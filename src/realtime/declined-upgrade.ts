import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** What asks for the upgrade and has to go; `HTTP2-Settings` belongs to `Upgrade: h2c`. */
const UPGRADE_ONLY = new Set(['upgrade', 'http2-settings']);

/**
 * Serves a request as if it had not asked for an upgrade that is not offered here (RFC 9110, 7.8): clients like Java's
 * offer HTTP/2 with every first request. Node has let go of the socket, so it reads the request once more.
 */
export function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]];
    const kept = name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value;
    if (!UPGRADE_ONLY.has(name.toLowerCase()) && kept !== '') text += `${name}: ${kept}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

function withoutUpgrade(connection: string): string {
  return connection
    .split(',')
    .filter((token) => !UPGRADE_ONLY.has(token.trim().toLowerCase()))
    .join(',');
}
