import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Req, Res } from '@nestjs/common';
import { MetricsEndpoint } from './metrics-endpoint';

/** `GET /metrics` on the service's port. */
@Controller('metrics')
export class MetricsController {
  constructor(private readonly endpoint: MetricsEndpoint) {}

  @Get()
  scrape(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    return this.endpoint.answer(request.headers.authorization, response);
  }
}

/** Stands in the controller's place when metrics have a port of their own. */
@Controller()
export class NoMetricsController {}
