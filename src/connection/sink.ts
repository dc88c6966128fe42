import type { CloseReason } from '../protocol/close-reason';
import type { Frame } from '../protocol/frame';

export type Transport = 'websocket' | 'sse';

/** A way to write a frame as bytes; connections of one encoding share them. */
export type Encoding = 'websocket' | 'websocket-deflate' | 'sse' | 'sse-plain';

/** The way out of one connection: a thin layer over its socket. Never throws. */
export abstract class Sink {
  abstract readonly transport: Transport;

  abstract readonly encoding: Encoding;

  /** A frame in this sink's encoding; encoded once for all connections. */
  abstract encode(frame: Frame): Buffer;

  /** Hands bytes to the socket. `onTaken` fires when the kernel took the last of them; never if the socket died first. */
  abstract write(bytes: Buffer, onTaken?: () => void): void;

  /** Bytes handed to the socket that the kernel has not taken. */
  abstract get bufferedBytes(): number;

  /** Stops or resumes reading what the client sends. */
  abstract pause(): void;
  abstract resume(): void;

  /** Liveness probe of the transport, where it has one. */
  abstract ping(): void;

  /** Ends the connection politely behind what was written; destroys the socket when the client has not gone after `graceMs`. */
  abstract close(reason: CloseReason, graceMs: number): void;
}
