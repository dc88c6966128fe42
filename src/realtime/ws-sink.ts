import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { CloseReason } from '../protocol/close-reason';
import type { Frame } from '../protocol/frame';
import { deflated } from './shared-deflate';
import { SocketSink } from './socket-sink';

/** An empty ping (RFC 6455, 5.5.2): browsers answer it by themselves. */
const PING = Buffer.from([0x89, 0x00]);

/**
 * Writes complete, shared frames to the socket below `ws`: its own `send` builds a header and several writes per
 * message, which costs half of a fan-out. `ws` writes only control frames of its own to the same socket, so the two
 * never interleave within a frame.
 */
export class WsSink extends SocketSink {
  readonly transport = 'websocket';
  readonly encoding: 'websocket' | 'websocket-deflate';

  constructor(
    private readonly client: WebSocket,
    socket: Socket,
  ) {
    super(socket);
    this.encoding = client.extensions.includes('permessage-deflate') ? 'websocket-deflate' : 'websocket';
  }

  encode(frame: Frame): Buffer {
    return this.encoding === 'websocket' ? frame.webSocket : deflated(frame);
  }

  pause(): void {
    this.client.pause();
  }

  resume(): void {
    this.client.resume();
  }

  ping(): void {
    this.write(PING);
  }

  close({ code, text }: CloseReason, graceMs: number): void {
    if (code === undefined) this.client.close();
    else this.client.close(code, text);
    // A paused socket would never see the client's answer.
    this.client.resume();
    setTimeout(() => {
      this.client.terminate();
    }, graceMs).unref();
  }
}
