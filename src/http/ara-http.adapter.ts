import { createServer, IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type NestApplicationOptions, StreamableFile } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { presetResponseClass, takePresetHeaders } from './preset-headers';
import { reply } from './reply';
import { RouteTable, type RouteLayer } from './route-table';

/** Sees every request before Express; `express` hands it on. */
export type FrontDoorHandler = (request: IncomingMessage, response: ServerResponse, express: () => void) => void;

/** The part of an Express application that this file touches. */
interface Express {
  (request: IncomingMessage, response: ServerResponse): void;
  request: object;
  response: object;
  readonly router: { strict: boolean; caseSensitive: boolean; readonly stack: readonly RouteLayer[] };
  disable(setting: string): void;
}

/** Longer than the 60 s that load balancers keep an idle connection: the side that closes first must be theirs. */
const KEEP_ALIVE_MS = 65_000;
/** For headers, and for a whole request with its body; an open SSE stream has ended its request long before. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
const IDLE_SWEEP_MS = 100;
/** Connections that the kernel has accepted and Node has not: after a restart, all clients come at once. The kernel's own limit, `net.core.somaxconn`, stands above it. */
const BACKLOG = 4096;
/** Whoever has not sent its request as a whole by then, or a first byte at all, does not keep a process from ending. */
const CLOSE_WAIT_MS = 5000;

/**
 * Express under Nest, with three differences: requests and responses are born with Express's prototypes (Express sets
 * them on every request, which costs V8 more than all the rest of a small request), paths are matched exactly, and
 * a front door stands before Express.
 */
export class AraHttpAdapter extends ExpressAdapter {
  #frontDoor: FrontDoorHandler | undefined;
  #routes: RouteTable | undefined;
  #server: Server | undefined;
  #isDraining = false;

  constructor() {
    super();
    const express = this.getInstance<Express>();
    express.disable('x-powered-by');
    express.disable('etag');
    // The router exists by now and has read its settings; routes are compiled with what stands here when they are added.
    express.router.strict = true;
    express.router.caseSensitive = true;
  }

  /** Must be set before the server listens: without a front door every request is refused with 503. */
  setFrontDoor(handler: FrontDoorHandler): void {
    this.#frontDoor = handler;
  }

  /** Built at the first question: by then all routes are registered. */
  get routes(): RouteTable {
    return (this.#routes ??= new RouteTable(this.getInstance<Express>().router.stack));
  }

  override initHttpServer(options: NestApplicationOptions): void {
    if (options.httpsOptions !== undefined) throw new Error('TLS ends at the proxy: this server speaks plain HTTP');
    const express = this.getInstance<Express>();
    // Classes of our own stand between Node's and Express's: only for a derived class does V8 keep one shape of its instances.
    class AraRequest extends IncomingMessage {}
    const AraResponse = presetResponseClass();
    express.request = insert(AraRequest.prototype, express.request);
    express.response = insert(AraResponse.prototype, express.response);
    const server = createServer({
      IncomingMessage: AraRequest,
      ServerResponse: AraResponse,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
    });
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      if (this.#isDraining) response.shouldKeepAlive = false;
      if (this.#frontDoor === undefined) response.writeHead(503).end();
      else
        this.#frontDoor(request, response, () => {
          express(request, response);
        });
    };
    server.on('request', answer);
    // Whoever asks before sending a body is answered by the same door: it says "continue" only when it wants the body.
    server.on('checkContinue', answer);
    server.on('clientError', refuseUnreadable);
    this.#server = server;
    this.setHttpServer(server);
  }

  /** On all interfaces unless told. */
  override listen(port: string | number, ...[hostname, callback]: (string | (() => void) | undefined)[]): Server {
    const server: Server = this.getHttpServer();
    const [host, done] = typeof hostname === 'string' ? [hostname, callback] : [undefined, hostname];
    const options = { port: Number(port), backlog: BACKLOG, ...(host !== undefined && { host }) };
    return server.listen(options, typeof done === 'function' ? done : undefined);
  }

  /** Bodies are read at the front door, after the caller was let in; a parser of Express would find an empty stream. */
  override registerParserMiddleware(): void {
    // None.
  }

  /** JSON goes out as the fast door sends it; `response.json` would set and look up each header by name. */
  override reply(response: ServerResponse, body: unknown, statusCode?: number): void {
    const isJson =
      typeof body === 'object' && body !== null && !(body instanceof StreamableFile) && !(body instanceof Error);
    const headers = isJson ? takePresetHeaders(response) : undefined;
    if (headers === undefined) super.reply(response, body, statusCode);
    else reply(response, statusCode ?? response.statusCode, headers, JSON.stringify(body));
  }

  /** From now on every answer is the last one on its connection. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Stops listening and resolves when the last request has ended, or after 5 s; connections go as they fall idle. */
  override close(): Promise<void> {
    const server = this.#server;
    if (server?.listening !== true) return Promise.resolve();
    return new Promise((resolve) => {
      const sweep = setInterval(() => {
        server.closeIdleConnections();
      }, IDLE_SWEEP_MS);
      const giveUp = setTimeout(() => {
        server.closeAllConnections();
      }, CLOSE_WAIT_MS);
      server.close(() => {
        clearInterval(sweep);
        clearTimeout(giveUp);
        resolve();
      });
    });
  }
}

/** Puts an object in front of a chain of prototypes. */
function insert(prototype: object, chain: object): object {
  Object.setPrototypeOf(prototype, chain);
  return prototype;
}

/** What is not even HTTP gets a JSON answer too, when the socket still takes one. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'Request headers are too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'The request did not arrive in time']
        : ['400 Bad Request', 'The request is not valid HTTP/1.1'];
  const body = JSON.stringify({ error: { code: 'VALIDATION_ERROR', message } });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
