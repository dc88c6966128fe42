import type { IncomingMessage } from 'node:http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { Exchange } from './exchange';

/** Gives a controller what the front door found out about the request. */
export const Knock = createParamDecorator((_: unknown, context: ExecutionContext): Exchange =>
  Exchange.of(context.switchToHttp().getRequest<IncomingMessage>()),
);
