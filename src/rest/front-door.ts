import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AraConfig } from '../config/ara-config';
import { AraHttpAdapter } from '../http/ara-http.adapter';
import { CorsPolicy, type HeaderList } from '../http/cors';
import { ErrorFilter } from '../http/error.filter';
import { receiveJson } from '../http/json-body';
import { reply } from '../http/reply';
import { requestIdOf } from '../http/request-id';
import type { Route } from '../http/route-table';
import { securityHeaders } from '../http/security-headers';
import { AraError } from '../notification/ara-error';
import { type Eventual, whenThere } from '../notification/eventual';
import { AccessList, bodyLimitBytes } from './access';
import { Admission } from './admission';
import { Exchange, requireRoute } from './exchange';
import { FastDoor } from './fast-door';
import { HttpMetrics } from './http.metrics';

/**
 * What every request passes, in this order: request id, CORS, security headers, rate limit, API key, tenant, route, body.
 * Then the fast door answers, or Express does. Since all of it happens before either, both give the same answers.
 */
@Injectable()
export class FrontDoor implements OnModuleInit {
  readonly #access: AccessList;
  readonly #cors: CorsPolicy;
  readonly #securityHeaders = securityHeaders();
  /** Of requests that come from no page. */
  readonly #sameOriginHeaders: HeaderList;

  constructor(
    private readonly config: AraConfig,
    private readonly host: HttpAdapterHost,
    private readonly admission: Admission,
    private readonly fastDoor: FastDoor,
    private readonly errors: ErrorFilter,
    private readonly metrics: HttpMetrics,
  ) {
    const { server, telemetry } = config;
    this.#access = new AccessList({ documents: server.docsEnabled, metrics: telemetry.metricsPort === undefined });
    this.#cors = new CorsPolicy(server.corsOrigins);
    this.#sameOriginHeaders = [...this.#securityHeaders, ...this.#cors.headersFor(undefined)];
  }

  onModuleInit(): void {
    const adapter: unknown = this.host.httpAdapter;
    // Any other adapter would leave every route open.
    if (!(adapter instanceof AraHttpAdapter)) throw new Error('The application must be created with AraHttpAdapter');
    adapter.setFrontDoor((request, response, express) => {
      this.#open(request, response, adapter, express);
    });
  }

  #open(request: IncomingMessage, response: ServerResponse, adapter: AraHttpAdapter, express: () => void): void {
    const { origin, 'x-request-id': givenId } = request.headers;
    const exchange = new Exchange(request, response, requestIdOf(givenId));
    exchange.headers = this.#headersFor(origin);
    exchange.headers.push('X-Request-Id', exchange.requestId);
    const route = adapter.routes.find(exchange.path);
    this.metrics.watch(exchange, route?.pattern);
    if (exchange.method === 'OPTIONS') {
      reply(response, 200, [...exchange.headers, ...this.#cors.preflightHeaders]);
      return;
    }
    this.#attempt(exchange, () => this.#enter(exchange, route, express));
  }

  /** What goes wrong in a step, at once or later, becomes the answer. */
  #attempt(exchange: Exchange, step: () => Eventual<void>): void {
    const fail = (error: unknown): void => {
      this.errors.answer(error, exchange.response, exchange.headers);
    };
    try {
      const pending = step();
      if (pending instanceof Promise) pending.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #headersFor(origin: string | undefined): string[] {
    return origin === undefined
      ? this.#sameOriginHeaders.slice()
      : [...this.#securityHeaders, ...this.#cors.headersFor(origin)];
  }

  #enter(exchange: Exchange, route: Route | undefined, express: () => void): Eventual<void> {
    const { method, path, request, response } = exchange;
    if (this.#access.accessOf(path) !== 'key') {
      if (route !== undefined) requireRoute(exchange, route);
      return this.#serve(exchange, express);
    }
    return whenThere(this.admission.admit(exchange), () => {
      requireRoute(exchange, route);
      if (method !== 'POST' && method !== 'PUT') return this.#serve(exchange, express);
      receiveJson(request, response, bodyLimitBytes(path), (received) => {
        this.#attempt(exchange, () => {
          if (received instanceof AraError) throw received;
          exchange.received(received);
          return this.#serve(exchange, express);
        });
      });
    });
  }

  #serve(exchange: Exchange, express: () => void): Eventual<void> {
    const handler = this.config.server.fastPath ? this.fastDoor.find(exchange.method, exchange.path) : undefined;
    if (handler === undefined) {
      exchange.handOver();
      express();
      return;
    }
    return whenThere(handler(exchange), (json) => {
      reply(exchange.response, 200, exchange.headers, json);
    });
  }
}
