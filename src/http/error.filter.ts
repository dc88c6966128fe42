import type { IncomingMessage, ServerResponse } from 'node:http';
import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { errorAnswer } from './error-body';
import { reply } from './reply';

/** Turns whatever a request ran into into its answer; both doors use it. Logs what is our own fault, without the query. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  readonly #logger = new Logger(ErrorFilter.name);

  constructor(private readonly config: AraConfig) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    this.answer(thrown, host.switchToHttp().getResponse<ServerResponse>());
  }

  /** @param headers of this answer, beyond those that the response has already. */
  answer(thrown: unknown, response: ServerResponse, headers: readonly string[] = []): void {
    const { status, body } = errorAnswer(thrown, this.config.production);
    if (status === 500) this.#log(thrown, response.req);
    if (response.headersSent) {
      // Too late for an answer: cut it off, so that nobody takes the half of it for the whole.
      response.destroy();
      return;
    }
    const seconds = body.error.retry_after_seconds;
    const retryAfter = seconds === undefined ? [] : ['Retry-After', String(seconds)];
    reply(response, status, [...headers, ...retryAfter], JSON.stringify(body));
  }

  #log(thrown: unknown, { method, url, id }: IncomingMessage): void {
    const msg = `${method ?? ''} ${url?.split('?', 1)[0] ?? ''} failed`;
    this.#logger.error({ msg, request_id: id, err: thrown });
  }
}
