import type { IncomingMessage, ServerResponse } from 'node:http';

/** A refused body up to this size is read and thrown away, so that the connection can be used again. */
const MAX_DRAINED_BYTES = 256 * 1024;
/** How much of a longer one, and for how long, is taken before the connection is closed for good. */
const MAX_LINGER_BYTES = 16 * 1024 * 1024;
const MAX_LINGER_MS = 3_000;

/**
 * Answers with JSON text (or nothing) and these further headers. A body that nobody has read does not cost the client its
 * answer: closing a connection with unread bytes in it resets it, and a reset may overtake the answer.
 */
export function reply(response: ServerResponse, status: number, headers: readonly string[], json?: string): void {
  const all = headers.slice();
  if (json !== undefined) all.push('Content-Type', 'application/json; charset=utf-8');
  // A 204 has no length; everything else says how long it is, so that the answer is whole before the connection ends.
  if (status !== 204) all.push('Content-Length', String(json === undefined ? 0 : Buffer.byteLength(json)));
  if (!leavesMuchUnread(response.req)) {
    response.writeHead(status, all).end(json);
    return;
  }
  response.writeHead(status, [...all, 'Connection', 'close']);
  if (json !== undefined) response.write(json);
  else response.flushHeaders();
  linger(response.req, () => response.end());
}

/** Whether a body is still coming that is long, of unknown length, or held back until somebody says "continue". */
function leavesMuchUnread(request: IncomingMessage): boolean {
  if (request.complete) return false;
  const { 'content-length': length, 'transfer-encoding': encoding, expect } = request.headers;
  if (encoding !== undefined || Number(length ?? 0) > MAX_DRAINED_BYTES) return true;
  return expect !== undefined && length !== undefined && length !== '0';
}

function linger(request: IncomingMessage, end: () => void): void {
  let left = MAX_LINGER_BYTES;
  const stop = (): void => {
    clearTimeout(timer);
    request.off('data', discard);
    end();
  };
  const discard = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) stop();
  };
  const timer = setTimeout(stop, MAX_LINGER_MS).unref();
  request.on('data', discard).once('end', stop).once('error', stop).resume();
}
