import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AraHttpAdapter } from './ara-http.adapter';

/**
 * Ends kept connections in order: from the first moment of a shutdown each answer says that it is the last one on its
 * connection, so that as few requests as possible are on their way when idle connections are closed.
 */
@Injectable()
export class KeepAlive implements OnModuleDestroy {
  constructor(private readonly host: HttpAdapterHost) {}

  onModuleDestroy(): void {
    const { httpAdapter } = this.host;
    if (httpAdapter instanceof AraHttpAdapter) httpAdapter.drain();
  }
}
