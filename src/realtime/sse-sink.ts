import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Sink } from '../connection/sink';
import type { CloseReason } from '../protocol/close-reason';
import type { Frame } from '../protocol/frame';

/**
 * Writes events to the socket below an HTTP response whose headers are out: one prebuilt chunk per event, shared by
 * all streams. HTTP/1.0 knows no chunks and gets the bare text.
 */
export class SseSink extends Sink {
  readonly transport = 'sse';
  readonly encoding: 'sse' | 'sse-plain';

  constructor(
    private readonly response: ServerResponse,
    private readonly socket: Socket,
  ) {
    super();
    this.encoding = response.req.httpVersion === '1.0' ? 'sse-plain' : 'sse';
  }

  encode(frame: Frame): Buffer {
    return this.encoding === 'sse' ? frame.sseChunk : Buffer.from(frame.sseEvent);
  }

  write(bytes: Buffer, onTaken?: () => void): void {
    if (!this.socket.writable) return;
    if (onTaken === undefined) this.socket.write(bytes);
    else
      this.socket.write(bytes, (error) => {
        if (error == null) onTaken();
      });
  }

  get bufferedBytes(): number {
    return this.socket.writableLength;
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
    this.response.end();
    setTimeout(() => {
      this.socket.destroy();
    }, graceMs).unref();
  }
}
