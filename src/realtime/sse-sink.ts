import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { CloseReason } from '../protocol/close-reason';
import type { Frame } from '../protocol/frame';
import { SocketSink } from './socket-sink';

/**
 * Writes events to the socket below an HTTP response whose headers are out: one prebuilt chunk per event, shared by
 * all streams. HTTP/1.0 knows no chunks and gets the bare text.
 */
export class SseSink extends SocketSink {
  readonly transport = 'sse';
  readonly encoding: 'sse' | 'sse-plain';

  constructor(
    private readonly response: ServerResponse,
    socket: Socket,
  ) {
    super(socket);
    this.encoding = response.req.httpVersion === '1.0' ? 'sse-plain' : 'sse';
  }

  encode(frame: Frame): Buffer {
    return this.encoding === 'sse' ? frame.sseChunk : Buffer.from(frame.sseEvent);
  }

  pause(): void {
    // A stream has nothing to read.
  }

  resume(): void {
    // See pause.
  }

  ping(): void {
    // The heartbeat event does it: a dead peer stops taking bytes.
  }

  close(_reason: CloseReason, graceMs: number): void {
    const timer = setTimeout(() => {
      this.socket.destroy();
    }, graceMs).unref();
    // Once it is out, the socket belongs to the client's next request.
    this.response.once('close', () => {
      clearTimeout(timer);
    });
    this.response.end();
  }
}
