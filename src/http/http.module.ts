import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ErrorFilter } from './error.filter';
import { KeepAlive } from './keep-alive';

/** Errors of every route, in one form; and the end of kept connections. */
@Module({
  providers: [ErrorFilter, KeepAlive, { provide: APP_FILTER, useExisting: ErrorFilter }],
  exports: [ErrorFilter],
})
export class HttpModule {}
