import type { IncomingMessage } from 'node:http';

/** Which subprotocol a handshake decided to echo, on its way to `ws`. */
export const chosenSubprotocol = new WeakMap<IncomingMessage, string>();
